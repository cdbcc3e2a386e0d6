// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/internal/value_match.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "envoy/type/matcher/v3/value.pb.h"
#include "re2/re2.h"
#include "source/net/metadata.h"

namespace culvert::access_log::internal {
namespace {

using envoy::type::matcher::v3::DoubleMatcher;
using envoy::type::matcher::v3::StringMatcher;
using envoy::type::matcher::v3::ValueMatcher;
using net::Value;
using TextMatch = std::function<bool(absl::string_view)>;

absl::StatusOr<TextMatch> makeTextMatch(const StringMatcher& config) {
  switch (config.match_pattern_case()) {
  case StringMatcher::kExact:
    return TextMatch([want = config.exact(), fold = config.ignore_case()](absl::string_view text) {
      return fold ? absl::EqualsIgnoreCase(text, want) : text == want;
    });
  case StringMatcher::kPrefix:
    return TextMatch([want = config.prefix(), fold = config.ignore_case()](absl::string_view text) {
      return fold ? absl::StartsWithIgnoreCase(text, want) : absl::StartsWith(text, want);
    });
  case StringMatcher::kSuffix:
    return TextMatch([want = config.suffix(), fold = config.ignore_case()](absl::string_view text) {
      return fold ? absl::EndsWithIgnoreCase(text, want) : absl::EndsWith(text, want);
    });
  case StringMatcher::kContains: {
    const bool fold = config.ignore_case();
    const std::string want = fold ? absl::AsciiStrToLower(config.contains()) : config.contains();
    return TextMatch([want, fold](absl::string_view text) {
      return absl::StrContains(fold ? absl::AsciiStrToLower(text) : std::string(text), want);
    });
  }
  case StringMatcher::kSafeRegex: {
    auto regex = std::make_shared<const re2::RE2>(config.safe_regex().regex(), re2::RE2::Quiet);
    if (!regex->ok())
      return absl::InvalidArgumentError(absl::StrCat(".safe_regex.regex: ", regex->error()));
    return TextMatch([regex](absl::string_view text) {
      return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *regex);
    });
  }
  case StringMatcher::kCustom:
    return absl::InvalidArgumentError(".custom: custom matchers are not supported");
  case StringMatcher::MATCH_PATTERN_NOT_SET:
    break;
  }
  return absl::InvalidArgumentError(".match_pattern: is required");
}

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
    return list != nullptr && std::any_of(list->begin(), list->end(), member);
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

absl::StatusOr<ValueMatch> makeValueMatch(const ValueMatcher& config) {
  switch (config.match_pattern_case()) {
  case ValueMatcher::kNullMatch:
    return ValueMatch([](const Value& value) { return value.isNull(); });
  case ValueMatcher::kDoubleMatch:
    return makeNumberMatch(config.double_match());
  case ValueMatcher::kStringMatch: {
    auto match = makeTextMatch(config.string_match());
    if (!match.ok())
      return absl::InvalidArgumentError(absl::StrCat(".string_match", match.status().message()));
    return ValueMatch([match = *std::move(match)](const Value& value) {
      const auto* const text = std::get_if<std::string>(&value.kind);
      return text != nullptr && match(*text);
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

} // namespace culvert::access_log::internal
