// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/strings/string_view.h"

#include <cstddef>
#include <optional>

namespace culvert::stats {

// Where in a stat's name a tag's value lies, and what is cut out of the name for it.
struct TagSpan {
  size_t value_begin = 0;
  size_t value_end = 0;
  size_t cut_begin = 0;
  size_t cut_end = 0;

  absl::string_view valueIn(absl::string_view name) const {
    return name.substr(value_begin, value_end - value_begin);
  }
};

// Finds the value that `pattern` marks in `name`. Both are tokens between dots; in the pattern
//   word   is that token,
//   *      is any token, and ** is one or more,
//   @      is a listener's address: an IPv4 address with its port ("1.2.3.4_80"), or any token,
//   $      is the value: any token; $@ one that is an address; $2 one of two tokens,
//   word$  is a token that begins with the word, and the rest of it is the value.
// The cut is the value and the dot behind it, or the one before it at the end of the name; a `<`
// before an earlier token moves the cut's begin there.
std::optional<TagSpan> findTag(absl::string_view pattern, absl::string_view name);

} // namespace culvert::stats
