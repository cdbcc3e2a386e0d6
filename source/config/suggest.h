// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace culvert::config {

// How many letters must be inserted, left out, replaced or swapped with their neighbour to
// make `a` into `b`; case does not matter. A count above `limit` is only said to be above it.
size_t editDistance(absl::string_view a, absl::string_view b, size_t limit);

// The name that was most likely meant by `written`, or "" if none is near.
std::string nearestName(absl::string_view written, const std::vector<std::string>& known);

// `; did you mean 'x'?`, or nothing.
std::string didYouMean(absl::string_view suggestion);

// Configuration that is quoted in a message, cut to a bearable length.
std::string quoted(absl::string_view text);

} // namespace culvert::config
