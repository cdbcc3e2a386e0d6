// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "test/kit/filter_fixture.h"

namespace culvert {
namespace {

TEST(Echo, SendsBackWhatItGets) {
  FilterFixture filter("echo", "");
  filter.open();
  filter.fromPeer("hello");
  EXPECT_EQ(filter.toPeer(), "hello");
}

TEST(Echo, AnswersBeforeItClosesWhenThePeerHalfCloses) {
  FilterFixture filter("echo", "");
  filter.open();
  filter.fromPeer("hello");
  filter.endFromPeer();
  EXPECT_EQ(filter.toPeer(), "hello");
  EXPECT_EQ(filter.closed().code, CloseCode::kPeerClosed);
}

TEST(Echo, ReadsNoMoreThanASlowPeerTakes) {
  FilterFixture filter("echo", "");
  filter.open();
  filter.limitPeer(3);
  filter.fromPeer("hello");
  filter.fromPeer("world");
  EXPECT_EQ(filter.toPeer(), "hel");
  filter.limitPeer(100);
  EXPECT_EQ(filter.toPeer(), "helloworld");
}

} // namespace
} // namespace culvert
