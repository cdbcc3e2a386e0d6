// SPDX-License-Identifier: Apache-2.0
#include "source/stats/bins.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace culvert::stats {
namespace {

// Bin 0 is zero; then 90 bins (leading digits 10 to 99) for each power of ten.
constexpr uint32_t kBinsPerDecade = 90;

constexpr std::array<uint64_t, 20> kPowersOfTen = [] {
  std::array<uint64_t, 20> powers{};
  uint64_t power = 1;
  for (uint64_t& p : powers) {
    p = power;
    power *= 10; // Wraps after the last one that fits.
  }
  return powers;
}();

// The power of ten that the value begins with: 0 for 1..9, 1 for 10..99, ...
uint32_t exponentOf(uint64_t value) {
  // 1233 / 4096 is log10(2), near enough to be off by one at most.
  const auto guess = static_cast<uint32_t>(std::bit_width(value) * 1233) >> 12;
  return value < kPowersOfTen[guess] ? guess - 1 : guess;
}

bool lessBin(const BinCount& count, Bin bin) { return count.bin < bin; }

} // namespace

Bin binOf(uint64_t value) {
  if (value == 0) {
    return kZeroBin;
  }
  const uint32_t exponent = exponentOf(value);
  const uint64_t digits = exponent == 0 ? value * 10 : value / kPowersOfTen[exponent - 1];
  return static_cast<Bin>(1 + exponent * kBinsPerDecade + digits - 10);
}

Bin binOfBound(double bound) {
  if (bound < 1) {
    return kZeroBin;
  }
  const auto exponent = static_cast<uint32_t>(std::floor(std::log10(bound)));
  if (exponent >= kPowersOfTen.size()) {
    return std::numeric_limits<Bin>::max();
  }
  // The small addend keeps a bound such as 1.1, which is a bit less in binary, in its own bin.
  const double digits =
      std::floor(bound / static_cast<double>(kPowersOfTen[exponent]) * 10.0 + 1e-13);
  return static_cast<Bin>(1 + exponent * kBinsPerDecade + static_cast<uint32_t>(digits) - 10);
}

double binLower(Bin bin) {
  if (bin == kZeroBin) {
    return 0;
  }
  const uint32_t digits = 10 + (bin - 1) % kBinsPerDecade;
  return digits / 10.0 * static_cast<double>(kPowersOfTen[(bin - 1) / kBinsPerDecade]);
}

double binWidth(Bin bin) {
  return bin == kZeroBin ? 0 : static_cast<double>(kPowersOfTen[(bin - 1) / kBinsPerDecade]) / 10.0;
}

void BinSet::add(Bin bin, uint64_t count) {
  const auto at = std::lower_bound(counts_.begin(), counts_.end(), bin, lessBin);
  if (at != counts_.end() && at->bin == bin) {
    at->count += count;
  } else {
    counts_.insert(at, BinCount{.bin = bin, .count = count});
  }
}

void BinSet::add(const BinSet& other) {
  for (const BinCount& entry : other.counts_) {
    add(entry.bin, entry.count);
  }
}

void ThreadBins::record(uint32_t histogram, uint64_t value) {
  if (histogram >= sets_.size()) {
    sets_.resize(histogram + 1);
  }
  BinSet& set = sets_[histogram];
  if (set.empty()) {
    recorded_.push_back(histogram);
  }
  set.add(binOf(value), 1);
}

ThreadHistograms ThreadBins::take() {
  ThreadHistograms taken;
  for (const uint32_t histogram : recorded_) {
    for (const BinCount& count : sets_[histogram].counts()) {
      taken.entries.push_back({histogram, count});
    }
    sets_[histogram].clear();
  }
  recorded_.clear();
  return taken;
}

} // namespace culvert::stats
