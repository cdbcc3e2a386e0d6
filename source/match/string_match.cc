// SPDX-License-Identifier: Apache-2.0
#include "source/match/string_match.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "re2/re2.h"

namespace culvert::match {
namespace {

bool containsIgnoringCase(absl::string_view text, absl::string_view pattern) {
  return std::search(text.begin(), text.end(), pattern.begin(), pattern.end(), [](char a, char b) {
           return absl::ascii_tolower(static_cast<unsigned char>(a)) ==
                  absl::ascii_tolower(static_cast<unsigned char>(b));
         }) != text.end();
}

} // namespace

StringMatch::StringMatch(Kind kind, std::string pattern, bool ignore_case)
    : pattern_(std::move(pattern)), kind_(kind), ignore_case_(ignore_case) {}

absl::StatusOr<StringMatch> StringMatch::create(Kind kind, std::string pattern, bool ignore_case) {
  StringMatch made(kind, std::move(pattern), ignore_case);
  if (kind == Kind::kRegex) {
    made.regex_ = std::make_shared<const re2::RE2>(made.pattern_, re2::RE2::Quiet);
    if (!made.regex_->ok()) {
      return absl::InvalidArgumentError(made.regex_->error());
    }
  }
  return made;
}

bool StringMatch::matches(absl::string_view text) const {
  switch (kind_) {
  case Kind::kExact:
    return ignore_case_ ? absl::EqualsIgnoreCase(text, pattern_) : text == pattern_;
  case Kind::kPrefix:
    return ignore_case_ ? absl::StartsWithIgnoreCase(text, pattern_)
                        : absl::StartsWith(text, pattern_);
  case Kind::kSuffix:
    return ignore_case_ ? absl::EndsWithIgnoreCase(text, pattern_) : absl::EndsWith(text, pattern_);
  case Kind::kContains:
    return ignore_case_ ? containsIgnoringCase(text, pattern_) : absl::StrContains(text, pattern_);
  case Kind::kRegex:
    return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *regex_);
  }
  return false;
}

} // namespace culvert::match
