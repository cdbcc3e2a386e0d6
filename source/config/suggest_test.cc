// SPDX-License-Identifier: Apache-2.0
#include "source/config/suggest.h"

#include <string>

#include "gtest/gtest.h"

namespace culvert::config {
namespace {

TEST(EditDistance, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(editDistance("idle", "idle", 3), 0U);
  EXPECT_EQ(editDistance("idel", "idle", 3), 1U);
  EXPECT_EQ(editDistance("ide", "idle", 3), 1U);
  EXPECT_EQ(editDistance("iddle", "idle", 3), 1U);
  EXPECT_EQ(editDistance("IDLE", "idle", 3), 0U);
  EXPECT_EQ(editDistance("", "idle", 5), 4U);
}

TEST(EditDistance, StopsAtTheLimit) {
  EXPECT_GT(editDistance("abcdef", "x", 2), 2U);
  EXPECT_GT(editDistance(std::string(100'000, 'a'), std::string(100'000, 'b'), 3), 3U);
}

TEST(NearestName, FindsTypingErrors) {
  EXPECT_EQ(nearestName("idle_timeuot", {"cluster", "idle_timeout"}), "idle_timeout");
  EXPECT_EQ(nearestName("ROUNDROBIN", {"LEAST_REQUEST", "ROUND_ROBIN"}), "ROUND_ROBIN");
}

TEST(NearestName, FindsTheOneNameThatHasTheWord) {
  EXPECT_EQ(nearestName("timeout", {"connect_timeout", "name"}), "connect_timeout");
  EXPECT_EQ(nearestName("timeout", {"connect_timeout", "idle_timeout"}), "");
}

TEST(NearestName, FindsNothingFarAway) {
  EXPECT_EQ(nearestName("bogus", {"cluster", "idle_timeout"}), "");
  EXPECT_EQ(nearestName("", {"a", "bc"}), "");
}

} // namespace
} // namespace culvert::config
