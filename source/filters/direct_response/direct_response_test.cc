// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "test/kit/filter_fixture.h"

namespace culvert {
namespace {

TEST(DirectResponse, AnswersASilentPeerAndCloses) {
  FilterFixture filter("direct_response", R"pb(response { inline_string: "closed\n" })pb");
  filter.open();
  EXPECT_EQ(filter.toPeer(), "closed\n");
  EXPECT_TRUE(filter.endToPeer());
  EXPECT_EQ(filter.info().response_code_details, "direct_response");
}

TEST(DirectResponse, FlushesToASlowPeerBeforeItCloses) {
  FilterFixture filter("direct_response", R"pb(response { inline_bytes: "0123456789" })pb");
  filter.limitPeer(4);
  filter.open();
  EXPECT_FALSE(filter.isClosed());
  filter.limitPeer(100);
  EXPECT_EQ(filter.toPeer(), "0123456789");
  EXPECT_TRUE(filter.isClosed());
}

TEST(DirectResponse, RefusesAFileThatIsNotThere) {
  const absl::Status status =
      FilterFixture::load("direct_response", R"pb(response { filename: "/nonexist/x" })pb");
  EXPECT_EQ(status.message(), "response: Invalid path: /nonexist/x");
}

} // namespace
} // namespace culvert
