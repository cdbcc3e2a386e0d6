// SPDX-License-Identifier: Apache-2.0
#include "source/match/header_match.h"

#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "source/match/value_match.h"

namespace culvert::match {
namespace {

using envoy::config::route::v3::HeaderMatcher;
using TextMatch = std::function<bool(const std::string&)>;

absl::StatusOr<TextMatch> ofText(absl::StatusOr<StringMatch> match, absl::string_view field) {
  if (!match.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(field, match.status().message()));
  }
  return TextMatch(
      [match = *std::move(match)](const std::string& text) { return match.matches(text); });
}

absl::StatusOr<TextMatch> ofKind(StringMatch::Kind kind, const std::string& pattern) {
  return ofText(StringMatch::create(kind, pattern), "");
}

TextMatch ofRange(int64_t start, int64_t end) {
  return [start, end](const std::string& text) {
    int64_t number = 0;
    return absl::SimpleAtoi(text, &number) && start <= number && number < end;
  };
}

// Null: only its presence matters.
absl::StatusOr<TextMatch> textMatch(const HeaderMatcher& config) {
  switch (config.header_match_specifier_case()) {
  case HeaderMatcher::kStringMatch:
    return ofText(makeStringMatch(config.string_match()), ".string_match");
  case HeaderMatcher::kExactMatch:
    return ofKind(StringMatch::Kind::kExact, config.exact_match());
  case HeaderMatcher::kPrefixMatch:
    return ofKind(StringMatch::Kind::kPrefix, config.prefix_match());
  case HeaderMatcher::kSuffixMatch:
    return ofKind(StringMatch::Kind::kSuffix, config.suffix_match());
  case HeaderMatcher::kContainsMatch:
    return ofKind(StringMatch::Kind::kContains, config.contains_match());
  case HeaderMatcher::kSafeRegexMatch:
    return ofText(StringMatch::create(StringMatch::Kind::kRegex, config.safe_regex_match().regex()),
                  ".safe_regex_match.regex: ");
  case HeaderMatcher::kRangeMatch:
    return ofRange(config.range_match().start(), config.range_match().end());
  default:
    return TextMatch();
  }
}

} // namespace

absl::StatusOr<HeaderMatch> makeHeaderMatch(const HeaderMatcher& config) {
  auto text = textMatch(config);
  if (!text.ok()) {
    return text.status();
  }
  const bool inverted = config.invert_match();
  const bool as_empty = config.treat_missing_header_as_empty();
  const bool absence = config.has_present_match() && !config.present_match();
  return HeaderMatch{
      absl::AsciiStrToLower(config.name()),
      [text = *std::move(text), inverted, as_empty, absence](const std::string* value) {
        if (text == nullptr) {
          return ((value != nullptr) != absence) != inverted;
        }
        if (value == nullptr && !as_empty) {
          return false; // Also when inverted.
        }
        return text(value == nullptr ? std::string() : *value) != inverted;
      }};
}

} // namespace culvert::match
