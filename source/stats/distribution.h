// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/stats/stat.h"

#include <array>
#include <cstdint>
#include <vector>

namespace culvert::stats {

// What can be said about samples of which only the bins are known; the numbers are circllhist's.
// Units: of the histogram; the scale of kPercent is taken out.
// Threads: any, each on bins of its own.

inline constexpr std::array<double, 10> kQuantiles = {0,    0.25, 0.5,   0.75,  0.9,
                                                      0.95, 0.99, 0.995, 0.999, 1};
using Quantiles = std::array<double, kQuantiles.size()>;

// Sample k of the n in a bin is taken to lie k/(n+1) into it. NaN if there are no samples.
Quantiles quantiles(const BinSet& samples, Unit unit);

uint64_t sampleCount(const BinSet& samples);

// With each sample at that point of its bin where the relative error is the same to both sides.
double sampleSum(const BinSet& samples, Unit unit);

// For each bound, the samples up to the end of the bin that the bound lies in.
std::vector<uint64_t> countsUpTo(const BinSet& samples, const std::vector<double>& bounds,
                                 Unit unit);

struct BinRange {
  double lower;
  double width;
  uint64_t count;
};

std::vector<BinRange> binRanges(const BinSet& samples, Unit unit);

} // namespace culvert::stats
