// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "source/net/upstream_source.h"
#include "test/kit/listener_filter_fixture.h"

namespace culvert {
namespace {

TEST(OriginalSrc, LeavesTheClientsAddressForConnects) {
  ListenerFilterFixture filter("original_src", "mark: 123");
  EXPECT_EQ(filter.end(), StageEnd::kReady);
  const auto* const source =
      filter.info().filter_state->find<net::UpstreamSource>(net::UpstreamSource::kKey);
  ASSERT_NE(source, nullptr);
  EXPECT_EQ(source->address.toString(), "127.0.0.1:0");
  EXPECT_EQ(source->mark, 123u);
}

} // namespace
} // namespace culvert
