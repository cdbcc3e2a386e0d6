// SPDX-License-Identifier: Apache-2.0
#include "source/net/drain.h"

#include <gtest/gtest.h>

#include "source/event/loop.h"
#include "source/event/simulated_clock.h"

namespace culvert::net {
namespace {

using std::chrono::seconds;

class DrainTest : public testing::Test {
protected:
  int closesOf1000After(int passed_s) {
    clock_.advance(seconds(passed_s));
    event::Loop loop("test", clock_);
    int closes = 0;
    for (int i = 0; i < 1000; i++) {
      closes += drain_.wantsClose(loop);
    }
    return closes;
  }

  event::SimulatedClock clock_;
  Drain drain_;
};

TEST_F(DrainTest, LeavesConnectionsAloneUntilItBegins) { EXPECT_EQ(closesOf1000After(10), 0); }

TEST_F(DrainTest, GrowsGraduallyToAll) {
  drain_.begin(clock_.now(), seconds(100), true);
  EXPECT_EQ(closesOf1000After(0), 0);
  EXPECT_NEAR(closesOf1000After(25), 250, 120);
  EXPECT_NEAR(closesOf1000After(50), 750, 120);
  EXPECT_EQ(closesOf1000After(25), 1000);
  EXPECT_EQ(closesOf1000After(25), 1000);
}

TEST_F(DrainTest, EndsAllAtOnceIfItIsNotGradual) {
  drain_.begin(clock_.now(), seconds(100), false);
  EXPECT_EQ(closesOf1000After(0), 1000);
}

TEST_F(DrainTest, WithoutTimeIsAtOnce) {
  drain_.begin(clock_.now(), seconds(0), true);
  EXPECT_EQ(closesOf1000After(0), 1000);
}

TEST_F(DrainTest, BeginsOnce) {
  drain_.begin(clock_.now(), seconds(100), true);
  drain_.begin(clock_.now(), seconds(100), false);
  EXPECT_EQ(closesOf1000After(0), 0);
}

TEST_F(DrainTest, OfABeginAheadOfTheWorkersClockEndsNone) {
  drain_.begin(clock_.now() + seconds(1), seconds(100), true);
  EXPECT_EQ(closesOf1000After(0), 0);
}

TEST_F(DrainTest, UnhealthyIsForNow) {
  drain_.setUnhealthy(true);
  EXPECT_EQ(closesOf1000After(0), 1000);
  drain_.setUnhealthy(false);
  EXPECT_EQ(closesOf1000After(0), 0);
}

} // namespace
} // namespace culvert::net
