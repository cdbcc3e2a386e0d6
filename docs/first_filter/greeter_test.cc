// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "test/kit/filter_fixture.h"

namespace culvert {
namespace {

TEST(Greeter, GreetsAndThenStaysOutOfTheWay) {
  FilterFixture filter("greeter", R"pb(banner: "hi" max_bytes: 100)pb");
  filter.open();
  filter.fromPeer("hello");
  EXPECT_EQ(filter.toPeer(), "hi");
  EXPECT_EQ(filter.toBehind(), "hello");
}

TEST(Greeter, CutsOffThePeerPastTheLimit) {
  FilterFixture filter("greeter", R"pb(banner: "hi" max_bytes: 4)pb");
  filter.open();
  filter.fromPeer("12345");
  EXPECT_EQ(filter.toBehind(), "");
  EXPECT_EQ(filter.closed(), CloseReason::local("greeter_limit"));
  EXPECT_EQ(filter.count("cut"), 1u);
}

TEST(Greeter, RefusesALimitOfNothing) {
  EXPECT_EQ(FilterFixture::load("greeter", "").message(), "max_bytes: must be above 0");
}

} // namespace
} // namespace culvert
