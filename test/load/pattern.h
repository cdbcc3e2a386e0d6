// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace culvert::load {

// Mixes well; equal inputs give equal outputs on every machine.
uint64_t mix(uint64_t value);

// An endless stream of bytes that is known at each offset, one per key: a lost, doubled, swapped or
// foreign byte shows wherever the stream is looked at, which a checksum tells only at the end.
// Threads: any; no state.
struct Pattern {
  uint64_t key;

  void fill(uint64_t offset, char* into, size_t size) const;
  // The offset of the first byte that is not the stream's, if any.
  std::optional<uint64_t> firstWrong(uint64_t offset, const char* bytes, size_t size) const;
};

} // namespace culvert::load
