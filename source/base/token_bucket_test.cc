// SPDX-License-Identifier: Apache-2.0
#include "source/base/token_bucket.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace culvert::base {
namespace {

constexpr Instant kStart{std::chrono::hours(7)};
constexpr double kSecondNs = 1e9;

// How many of `tries` get a token at once.
int take(TokenBucket& bucket, int tries, Instant now) {
  int taken = 0;
  for (int i = 0; i < tries; i++) {
    taken += bucket.tryTake(now);
  }
  return taken;
}

TEST(TokenBucket, IsFullAtFirst) {
  TokenBucket bucket(3, kSecondNs, kStart);
  EXPECT_EQ(take(bucket, 10, kStart), 3);
}

TEST(TokenBucket, FillsOneByOne) {
  TokenBucket bucket(3, kSecondNs, kStart);
  take(bucket, 3, kStart);
  EXPECT_EQ(take(bucket, 2, kStart + std::chrono::milliseconds(999)), 0);
  EXPECT_EQ(take(bucket, 2, kStart + std::chrono::milliseconds(1000)), 1);
  EXPECT_EQ(take(bucket, 5, kStart + std::chrono::milliseconds(3500)), 2);
  EXPECT_EQ(take(bucket, 5, kStart + std::chrono::milliseconds(4000)), 1);
}

TEST(TokenBucket, HoldsNoMoreThanItsCapacity) {
  TokenBucket bucket(3, kSecondNs, kStart);
  EXPECT_EQ(take(bucket, 10, kStart + std::chrono::hours(100)), 3);
}

TEST(TokenBucket, OfNoCapacityGivesNothing) {
  TokenBucket bucket(0, kSecondNs, kStart);
  EXPECT_EQ(take(bucket, 10, kStart + std::chrono::hours(100)), 0);
}

TEST(TokenBucket, LooksAwayFromAClockThatIsBehind) {
  TokenBucket bucket(1, kSecondNs, kStart);
  take(bucket, 1, kStart);
  EXPECT_EQ(take(bucket, 1, kStart - std::chrono::hours(1)), 0);
  EXPECT_EQ(take(bucket, 1, kStart + std::chrono::seconds(1)), 1);
}

TEST(TokenBucket, GivesEachTokenToOneThread) {
  TokenBucket bucket(1000, 1e18, kStart);
  std::atomic<int> taken = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) {
    threads.emplace_back([&] { taken += take(bucket, 1000, kStart); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(taken, 1000);
}

} // namespace
} // namespace culvert::base
