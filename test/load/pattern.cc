// SPDX-License-Identifier: Apache-2.0
#include "test/load/pattern.h"

#include <algorithm>
#include <cstring>

namespace culvert::load {
namespace {

constexpr size_t kWord = sizeof(uint64_t);

} // namespace

// The finalizer of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
uint64_t mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

void Pattern::fill(uint64_t offset, char* into, size_t size) const {
  while (size > 0) {
    const uint64_t word = mix(key + offset / kWord);
    const size_t skip = offset % kWord;
    const size_t step = std::min(size, kWord - skip);
    std::memcpy(into, reinterpret_cast<const char*>(&word) + skip, step);
    offset += step;
    into += step;
    size -= step;
  }
}

std::optional<uint64_t> Pattern::firstWrong(uint64_t offset, const char* bytes, size_t size) const {
  while (size > 0) {
    const uint64_t word = mix(key + offset / kWord);
    const size_t skip = offset % kWord;
    const size_t step = std::min(size, kWord - skip);
    const char* want = reinterpret_cast<const char*>(&word) + skip;
    if (std::memcmp(bytes, want, step) != 0)
      return offset + static_cast<uint64_t>(std::mismatch(bytes, bytes + step, want).first - bytes);
    offset += step;
    bytes += step;
    size -= step;
  }
  return std::nullopt;
}

} // namespace culvert::load
