// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "test/kit/listener_filter_fixture.h"

namespace culvert {
namespace {

// Redirected connections are in test/corpus/redirect_test.py, which brings its own network.
TEST(OriginalDst, LeavesWhatWasNotRedirected) {
  ListenerFilterFixture filter("original_dst", "");
  EXPECT_EQ(filter.end(), StageEnd::kReady);
  EXPECT_EQ(filter.info().local, filter.info().direct_local);
  EXPECT_FALSE(filter.info().local_restored);
}

} // namespace
} // namespace culvert
