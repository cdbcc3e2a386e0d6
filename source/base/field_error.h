// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace culvert::base {

// What is wrong with a configuration, as a status whose message begins with the path of the field:
// "max_bytes: must be above 0". Whoever holds the message around it puts its own path in front.
// Threads: any.
inline absl::Status errorAt(absl::string_view path, absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", text));
}

// The same error, for a message that stands at `path` in another one.
inline absl::Status errorWithin(absl::string_view path, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(path, ".", status.message()));
}

} // namespace culvert::base
