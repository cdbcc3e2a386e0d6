// SPDX-License-Identifier: Apache-2.0
#include "source/match/value_match.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "envoy/type/matcher/v3/value.pb.h"
#include "source/net/metadata.h"

namespace culvert::match {
namespace {

using envoy::type::matcher::v3::DoubleMatcher;
using envoy::type::matcher::v3::StringMatcher;
using envoy::type::matcher::v3::ValueMatcher;
using net::Value;

ValueMatch makeNumberMatch(const DoubleMatcher& config) {
  return [config](const Value& value) {
    const double* const number = std::get_if<double>(&value.kind);
    if (number == nullptr)
      return false;
    return config.has_range() ? config.range().start() <= *number && *number < config.range().end()
                              : config.exact() == *number;
  };
}

absl::StatusOr<ValueMatch> makeOneOf(const ValueMatcher& config) {
  auto member = makeValueMatch(config);
  if (!member.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(".list_match.one_of", member.status().message()));
  }
  return ValueMatch([member = *std::move(member)](const Value& value) {
    const auto* const list = std::get_if<Value::List>(&value.kind);
    return list != nullptr &&
           std::any_of(list->begin(), list->end(), [&](const Value& v) { return member(v); });
  });
}

absl::StatusOr<ValueMatch> makeAnyOf(const envoy::type::matcher::v3::OrMatcher& config) {
  std::vector<ValueMatch> members;
  for (const ValueMatcher& matcher : config.value_matchers()) {
    auto member = makeValueMatch(matcher);
    if (!member.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(".or_match.value_matchers[", members.size(),
                                                     "]", member.status().message()));
    }
    members.push_back(*std::move(member));
  }
  return ValueMatch([members = std::move(members)](const Value& value) {
    return std::any_of(members.begin(), members.end(),
                       [&](const ValueMatch& member) { return member(value); });
  });
}

} // namespace

absl::StatusOr<StringMatch> makeStringMatch(const StringMatcher& config) {
  using Kind = StringMatch::Kind;
  switch (config.match_pattern_case()) {
  case StringMatcher::kExact:
    return StringMatch::create(Kind::kExact, config.exact(), config.ignore_case());
  case StringMatcher::kPrefix:
    return StringMatch::create(Kind::kPrefix, config.prefix(), config.ignore_case());
  case StringMatcher::kSuffix:
    return StringMatch::create(Kind::kSuffix, config.suffix(), config.ignore_case());
  case StringMatcher::kContains:
    return StringMatch::create(Kind::kContains, config.contains(), config.ignore_case());
  case StringMatcher::kSafeRegex: {
    auto match = StringMatch::create(Kind::kRegex, config.safe_regex().regex());
    if (!match.ok())
      return absl::InvalidArgumentError(
          absl::StrCat(".safe_regex.regex: ", match.status().message()));
    return match;
  }
  case StringMatcher::kCustom:
    return absl::InvalidArgumentError(".custom: custom matchers are not supported");
  case StringMatcher::MATCH_PATTERN_NOT_SET:
    break;
  }
  return absl::InvalidArgumentError(".match_pattern: is required");
}

absl::StatusOr<ValueMatch> makeValueMatch(const ValueMatcher& config) {
  switch (config.match_pattern_case()) {
  case ValueMatcher::kNullMatch:
    return ValueMatch([](const Value& value) { return value.isNull(); });
  case ValueMatcher::kDoubleMatch:
    return makeNumberMatch(config.double_match());
  case ValueMatcher::kStringMatch: {
    auto match = makeStringMatch(config.string_match());
    if (!match.ok())
      return absl::InvalidArgumentError(absl::StrCat(".string_match", match.status().message()));
    return ValueMatch([match = *std::move(match)](const Value& value) {
      const auto* const text = std::get_if<std::string>(&value.kind);
      return text != nullptr && match.matches(*text);
    });
  }
  case ValueMatcher::kBoolMatch:
    return ValueMatch([want = config.bool_match()](const Value& value) {
      const bool* const is = std::get_if<bool>(&value.kind);
      return is != nullptr && *is == want;
    });
  case ValueMatcher::kPresentMatch:
    return ValueMatch([want = config.present_match()](const Value&) { return want; });
  case ValueMatcher::kListMatch:
    return makeOneOf(config.list_match().one_of());
  case ValueMatcher::kOrMatch:
    return makeAnyOf(config.or_match());
  case ValueMatcher::MATCH_PATTERN_NOT_SET:
    break;
  }
  // No matcher at all: nothing that is there matches.
  return ValueMatch([](const Value&) { return false; });
}

absl::StatusOr<net::Cidr> makeCidr(absl::string_view address_prefix, uint32_t prefix_len) {
  const auto address = net::Address::parseIp(address_prefix, 0);
  if (!address.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(".address_prefix: ", address.status().message()));
  }
  const auto bits_max = static_cast<uint32_t>(address->ipBytes().size() * 8);
  return net::Cidr::create(address_prefix, std::min(prefix_len, bits_max));
}

} // namespace culvert::match
