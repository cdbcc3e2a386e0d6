// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace re2 {
class RE2;
}

namespace culvert::match {

// A condition on a text, compiled once: envoy.type.matcher.v3.StringMatcher for rooms that know no
// messages. Cheap to copy.
// Threads: any; matching allocates nothing.
class StringMatch {
public:
  enum class Kind : uint8_t { kExact, kPrefix, kSuffix, kContains, kRegex };

  // `ignore_case` is about ASCII letters, and without effect on an expression, which must match the
  // whole text. Errors: RE2's texts.
  static absl::StatusOr<StringMatch> create(Kind kind, std::string pattern,
                                            bool ignore_case = false);

  bool matches(absl::string_view text) const;

private:
  StringMatch(Kind kind, std::string pattern, bool ignore_case);

  std::string pattern_;
  std::shared_ptr<const re2::RE2> regex_; // Null unless it is one.
  Kind kind_;
  bool ignore_case_;
};

} // namespace culvert::match
