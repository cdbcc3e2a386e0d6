// SPDX-License-Identifier: Apache-2.0
#include "source/tls/san_matcher.h"

#include "absl/strings/match.h"

namespace culvert::tls {

bool SanMatcher::matches(SanType type, absl::string_view san) const {
  if (type != type_) {
    return false;
  }
  return type == SanType::kDns && exact_ ? dnsNameCovers(san, *exact_) : text_.matches(san);
}

bool dnsNameCovers(absl::string_view pattern, absl::string_view name) {
  if (absl::EqualsIgnoreCase(pattern, name)) {
    return true;
  }
  const size_t pattern_dot = pattern.find('.');
  const size_t name_dot = name.find('.');
  const size_t star = pattern.find('*');
  if (pattern_dot == absl::string_view::npos || name_dot == absl::string_view::npos ||
      star > pattern_dot ||
      !absl::EqualsIgnoreCase(pattern.substr(pattern_dot), name.substr(name_dot))) {
    return false;
  }
  const absl::string_view before = pattern.substr(0, star);
  const absl::string_view after = pattern.substr(star + 1, pattern_dot - star - 1);
  const absl::string_view label = name.substr(0, name_dot);
  return !absl::StrContains(after, '*') && !absl::StartsWithIgnoreCase(label, "xn--") &&
         label.size() > before.size() + after.size() && absl::StartsWithIgnoreCase(label, before) &&
         absl::EndsWithIgnoreCase(label, after);
}

} // namespace culvert::tls
