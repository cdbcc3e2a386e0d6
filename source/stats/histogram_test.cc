// SPDX-License-Identifier: Apache-2.0
#include "source/stats/distribution.h"
#include "source/stats/store.h"

#include "gtest/gtest.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <thread>

namespace culvert::stats {
namespace {

void flush(Store& store) {
  store.merge(store.takeThread());
  store.endInterval();
}

BinSet binsOf(const std::vector<uint64_t>& values) {
  BinSet bins;
  for (const uint64_t value : values) {
    bins.add(binOf(value), 1);
  }
  return bins;
}

TEST(Bins, HoldTwoSignificantDigits) {
  EXPECT_EQ(binOf(0), kZeroBin);
  EXPECT_EQ(binOf(300), binOf(309));
  EXPECT_NE(binOf(309), binOf(310));
  EXPECT_NE(binOf(99), binOf(100));
  EXPECT_DOUBLE_EQ(binLower(binOf(309)), 300);
  EXPECT_DOUBLE_EQ(binWidth(binOf(309)), 10);
  EXPECT_DOUBLE_EQ(binLower(binOf(7)), 7);
  EXPECT_DOUBLE_EQ(binWidth(binOf(7)), 0.1);
}

TEST(Bins, EveryValueLiesInItsBinAndBinsAscend) {
  Bin before = kZeroBin;
  for (uint64_t value = 1; value < UINT64_MAX / 11; value += 1 + value / 13) {
    const Bin bin = binOf(value);
    EXPECT_GE(bin, before);
    EXPECT_LE(binLower(bin), static_cast<double>(value) * (1 + 1e-15)) << value;
    EXPECT_GT(binLower(bin) + binWidth(bin), static_cast<double>(value) * (1 - 1e-15)) << value;
    before = bin;
  }
  EXPECT_DOUBLE_EQ(binLower(binOf(UINT64_MAX)), 18e18);
}

TEST(Bins, ABoundIsInTheBinOfItsValue) {
  EXPECT_EQ(binOfBound(0.5), kZeroBin);
  EXPECT_EQ(binOfBound(1), binOf(1));
  EXPECT_EQ(binOfBound(99.99), binOf(99));
  EXPECT_EQ(binOfBound(1800000), binOf(1800000));
  EXPECT_GT(binOfBound(1e30), binOf(UINT64_MAX));
}

TEST(Distribution, OfOneSampleIsTheMiddleOfItsBin) {
  const Quantiles all = quantiles(binsOf({2}), Unit::kMilliseconds);
  EXPECT_DOUBLE_EQ(all.front(), 2.05);
  EXPECT_DOUBLE_EQ(all.back(), 2.05);
  EXPECT_NEAR(sampleSum(binsOf({300}), Unit::kMilliseconds), 304.918, 0.001);
}

TEST(Distribution, WalksTheBinsByRank) {
  const Quantiles all = quantiles(binsOf({0, 0, 0, 0, 2}), Unit::kMilliseconds);
  EXPECT_EQ(all[3], 0);           // P75
  EXPECT_DOUBLE_EQ(all[4], 2.05); // P90
}

TEST(Distribution, OfNothingIsNotANumber) {
  EXPECT_TRUE(std::isnan(quantiles({}, Unit::kBytes)[0]));
  EXPECT_EQ(sampleSum({}, Unit::kBytes), 0);
  EXPECT_EQ(countsUpTo({}, {1, 10}, Unit::kBytes), (std::vector<uint64_t>{0, 0}));
}

TEST(Distribution, CountsTheWholeBinOfABound) {
  const BinSet samples = binsOf({1, 4, 100, 105, 110});
  EXPECT_EQ(countsUpTo(samples, {0.5, 1, 5, 100, 1e30}, Unit::kBytes),
            (std::vector<uint64_t>{0, 1, 2, 4, 5}));
}

TEST(Distribution, TakesTheScaleOutOfPercents) {
  const BinSet samples = binsOf({Histogram::kPercentScale / 2});
  EXPECT_NEAR(quantiles(samples, Unit::kPercent)[2], 0.505, 1e-9);
  EXPECT_EQ(countsUpTo(samples, {0.4, 0.6}, Unit::kPercent), (std::vector<uint64_t>{0, 1}));
}

TEST(Histogram, IsSeenAfterTheFlush) {
  Store store(1, {});
  Histogram& histogram = store.root().histogram("h_ms", Unit::kMilliseconds);
  histogram.record(5);
  EXPECT_FALSE(histogram.used());
  flush(store);
  EXPECT_TRUE(histogram.used());
  EXPECT_EQ(sampleCount(histogram.interval()), 1);
}

TEST(Histogram, AnIntervalEndsAndTheTotalStays) {
  Store store(1, {});
  Histogram& histogram = store.root().histogram("h_ms", Unit::kMilliseconds);
  histogram.record(5);
  flush(store);
  histogram.record(7);
  histogram.record(7);
  flush(store);
  EXPECT_EQ(sampleCount(histogram.interval()), 2);
  EXPECT_EQ(sampleCount(histogram.cumulative()), 3);
  flush(store);
  EXPECT_EQ(sampleCount(histogram.interval()), 0);
  EXPECT_EQ(sampleCount(histogram.cumulative()), 3);
}

TEST(Histogram, JoinsTheBinsOfAllThreads) {
  Store store(2, {});
  Histogram& histogram = store.root().histogram("h", Unit::kBytes);
  histogram.record(1);
  ThreadHistograms taken;
  std::thread([&] {
    base::thread_slot = 1;
    histogram.record(1);
    histogram.record(1000);
    taken = store.takeThread();
  }).join();
  store.merge(std::move(taken));
  flush(store);
  EXPECT_EQ(sampleCount(histogram.cumulative()), 3);
}

TEST(Histogram, BinsThatAreOnTheirWayDoNotReachItsSuccessor) {
  Store store(1, {});
  auto scope = store.root().scope("old");
  scope->histogram("h", Unit::kBytes).record(1);
  ThreadHistograms late = store.takeThread();
  scope->histogram("h", Unit::kBytes).record(1); // Not even taken yet.
  scope.reset();
  Histogram& successor = store.root().histogram("new", Unit::kBytes);
  store.merge(std::move(late));
  flush(store);
  Histogram& later = store.root().histogram("later", Unit::kBytes);
  flush(store);
  EXPECT_FALSE(successor.used());
  EXPECT_FALSE(later.used());
}

TEST(Histogram, ItsPlaceIsUsedAgain) {
  Store store(1, {});
  for (int i = 0; i < 10; ++i) {
    auto scope = store.root().scope("s");
    Histogram& histogram = scope->histogram("h", Unit::kBytes);
    histogram.record(i);
    flush(store);
    EXPECT_EQ(sampleCount(histogram.cumulative()), 1);
  }
}

TEST(Histogram, HasTheBucketsOfTheFirstSettingThatMatches) {
  StoreConfig config;
  config.histogram_buckets = {{{StringMatch::Kind::kSuffix, "_length_ms"}, {1000, 10, 100}},
                              {{StringMatch::Kind::kPrefix, "cluster."}, {}}};
  Store store(1, config);
  EXPECT_EQ(store.root().histogram("cluster.a.x_length_ms", Unit::kMilliseconds).buckets(),
            (std::vector<double>{10, 100, 1000}));
  EXPECT_EQ(store.root().histogram("cluster.a.y_ms", Unit::kMilliseconds).buckets().size(), 19);
}

} // namespace
} // namespace culvert::stats
