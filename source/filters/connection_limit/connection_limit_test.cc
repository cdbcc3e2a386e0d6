// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "test/kit/filter_fixture.h"

namespace culvert {
namespace {

using std::chrono::milliseconds;

constexpr char kOne[] = R"pb(stat_prefix: "in" max_connections { value: 1 })pb";
constexpr char kOneWithDelay[] =
    R"pb(stat_prefix: "in"
         max_connections { value: 1 }
         delay { nanos: 500000000 })pb";

TEST(ConnectionLimit, ClosesTheConnectionBeyondTheLimit) {
  FilterFixture first("connection_limit", kOne);
  FilterFixture second(first);
  first.open();
  second.open();
  EXPECT_FALSE(first.isClosed());
  EXPECT_EQ(second.closed(), CloseReason::local("over_connection_limit"));
  EXPECT_EQ(second.info().local_close_reason, "over_connection_limit");
  EXPECT_EQ(first.stat("connection_limit.in.limited_connections"), 1u);
  EXPECT_EQ(first.stat("connection_limit.in.active_connections"), 1u);
}

TEST(ConnectionLimit, TakesAnotherWhenOneHasLeft) {
  FilterFixture first("connection_limit", kOne);
  FilterFixture second(first);
  first.open();
  first.resetFromPeer();
  second.open();
  EXPECT_FALSE(second.isClosed());
  EXPECT_EQ(first.stat("connection_limit.in.active_connections"), 1u);
  EXPECT_EQ(first.stat("connection_limit.in.limited_connections"), 0u);
}

TEST(ConnectionLimit, ClosesAfterItsDelayAndReadsNothingMeanwhile) {
  FilterFixture first("connection_limit", kOneWithDelay);
  FilterFixture second(first);
  first.open();
  second.open();
  second.fromPeer("hello");
  second.advance(milliseconds(499));
  EXPECT_FALSE(second.isClosed());
  second.advance(milliseconds(1));
  EXPECT_EQ(second.closed(), CloseReason::local("over_connection_limit"));
  EXPECT_EQ(second.toBehind(), "");
  EXPECT_EQ(second.info().bytes_received, 0u);
}

TEST(ConnectionLimit, CountsADelayedConnectionUntilItIsClosed) {
  FilterFixture first("connection_limit", kOneWithDelay);
  FilterFixture second(first);
  FilterFixture third(first);
  FilterFixture fourth(first);
  first.open();
  second.open();
  EXPECT_EQ(first.stat("connection_limit.in.active_connections"), 2u);
  first.resetFromPeer();
  third.open();
  EXPECT_EQ(first.stat("connection_limit.in.limited_connections"), 2u);
  third.advance(milliseconds(500));
  fourth.open();
  fourth.advance(milliseconds(500));
  EXPECT_FALSE(fourth.isClosed());
  EXPECT_EQ(first.stat("connection_limit.in.active_connections"), 1u);
}

TEST(ConnectionLimit, NeitherLimitsNorCountsWhileItIsDisabled) {
  FilterFixture first("connection_limit",
                      R"pb(stat_prefix: "in"
                           max_connections { value: 1 }
                           runtime_enabled {
                             default_value { value: true }
                             runtime_key: "limit.on"
                           })pb");
  FilterFixture second(first);
  FilterFixture third(first);
  first.open();
  first.setRuntime("limit.on", "false");
  second.open();
  EXPECT_FALSE(second.isClosed());
  EXPECT_EQ(first.stat("connection_limit.in.active_connections"), 1u);
  second.resetFromPeer();
  EXPECT_EQ(first.stat("connection_limit.in.active_connections"), 1u);
  first.setRuntime("limit.on", "true");
  third.open();
  EXPECT_TRUE(third.isClosed());
}

TEST(ConnectionLimit, RefusesToBeWithoutALimit) {
  EXPECT_EQ(FilterFixture::load("connection_limit", R"pb(stat_prefix: "in")pb").message(),
            "max_connections: Field 'max_connections' is missing");
}

} // namespace
} // namespace culvert
