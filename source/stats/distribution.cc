// SPDX-License-Identifier: Apache-2.0
#include "source/stats/distribution.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace culvert::stats {
namespace {

double scaleOf(Unit unit) {
  return unit == Unit::kPercent ? 1.0 / static_cast<double>(Histogram::kPercentScale) : 1.0;
}

double middle(Bin bin) {
  if (bin == kZeroBin) {
    return 0;
  }
  const double lower = binLower(bin);
  const double width = binWidth(bin);
  return lower + width * (lower / (2 * lower + width));
}

} // namespace

Quantiles quantiles(const BinSet& samples, Unit unit) {
  Quantiles result;
  if (samples.empty()) {
    result.fill(std::numeric_limits<double>::quiet_NaN());
    return result;
  }
  const auto total = static_cast<double>(sampleCount(samples));
  auto bin = samples.counts().begin();
  double before = 0; // Samples in the bins before this one.
  for (size_t i = 0; i < kQuantiles.size(); ++i) {
    const double rank = total * kQuantiles[i];
    while (bin + 1 != samples.counts().end() && before + static_cast<double>(bin->count) < rank) {
      before += static_cast<double>(bin->count);
      ++bin;
    }
    const double k = std::max(1.0, std::ceil(rank - before));
    const auto n = static_cast<double>(bin->count);
    result[i] = (binLower(bin->bin) + k / (n + 1) * binWidth(bin->bin)) * scaleOf(unit);
  }
  return result;
}

uint64_t sampleCount(const BinSet& samples) {
  uint64_t total = 0;
  for (const BinCount& entry : samples.counts()) {
    total += entry.count;
  }
  return total;
}

double sampleSum(const BinSet& samples, Unit unit) {
  double sum = 0;
  for (const BinCount& entry : samples.counts()) {
    sum += middle(entry.bin) * static_cast<double>(entry.count);
  }
  return sum * scaleOf(unit);
}

std::vector<uint64_t> countsUpTo(const BinSet& samples, const std::vector<double>& bounds,
                                 Unit unit) {
  std::vector<uint64_t> counts;
  counts.reserve(bounds.size());
  auto entry = samples.counts().begin();
  uint64_t total = 0;
  for (const double bound : bounds) { // Ascending.
    const Bin last = binOfBound(bound / scaleOf(unit));
    for (; entry != samples.counts().end() && entry->bin <= last; ++entry) {
      total += entry->count;
    }
    counts.push_back(total);
  }
  return counts;
}

std::vector<BinRange> binRanges(const BinSet& samples, Unit unit) {
  std::vector<BinRange> ranges;
  ranges.reserve(samples.counts().size());
  for (const BinCount& entry : samples.counts()) {
    ranges.push_back(
        {binLower(entry.bin) * scaleOf(unit), binWidth(entry.bin) * scaleOf(unit), entry.count});
  }
  return ranges;
}

} // namespace culvert::stats
