// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace culvert::stats {

// Log-linear bins with two significant decimal digits, as circllhist has them: [1.0, 1.1), ...,
// [9.9, 10), [10, 11), ..., [99, 100), [100, 110), ... and a bin of its own for 0. A bin's number
// grows with its values.
using Bin = uint16_t;

inline constexpr Bin kZeroBin = 0;

Bin binOf(uint64_t value);

// The bin of a bound that need not be whole; kZeroBin below 1, where no sample but 0 is.
Bin binOfBound(double bound);

double binLower(Bin bin);
double binWidth(Bin bin); // 0 for kZeroBin.

struct BinCount {
  uint64_t bin : 16;
  uint64_t count : 48;
};

// How many samples fell into each bin, sorted by bin; bins without samples take no room.
// Threads: those of its owner.
class BinSet {
public:
  bool empty() const { return counts_.empty(); }
  const std::vector<BinCount>& counts() const { return counts_; }

  void add(Bin bin, uint64_t count);
  void add(const BinSet& other);
  void clear() { counts_.clear(); } // Keeps the memory for the next interval.
  void swap(BinSet& other) { counts_.swap(other.counts_); }

private:
  std::vector<BinCount> counts_;
};

// What one thread recorded since the last time, on its way to main.
struct ThreadHistograms {
  struct Entry {
    uint32_t histogram;
    BinCount count;
  };
  std::vector<Entry> entries;
};

// The bins of all histograms for one thread; a histogram is known by its number here.
// Threads: the one that it belongs to.
class alignas(64) ThreadBins {
public:
  void record(uint32_t histogram, uint64_t value);
  ThreadHistograms take();

private:
  std::vector<BinSet> sets_;       // By histogram; grows when this thread first records one.
  std::vector<uint32_t> recorded_; // The histograms whose set is not empty.
};

} // namespace culvert::stats
