// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <xxhash.h>

#include <cstdint>

#include "absl/strings/string_view.h"

namespace culvert::base {

// xxHash64: the same number as in Envoy for the same bytes, on every machine. Threads: any.
inline uint64_t xxHash64(absl::string_view bytes, uint64_t seed = 0) {
  return XXH64(bytes.data(), bytes.size(), seed);
}

} // namespace culvert::base
