// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "source/filter_api/well_known_state.h"
#include "test/kit/filter_fixture.h"

namespace culvert {
namespace {

TEST(SniCluster, NamesTheClusterAsTheClientDoes) {
  FilterFixture filter("sni_cluster", "");
  filter.info().requested_server_name = "echo.lab.test";
  filter.open();
  const auto* const cluster = filter.info().filter_state->find(kTcpProxyCluster);
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(cluster->serialize(), "echo.lab.test");
}

TEST(SniCluster, LeavesOthersToTheFilterBehind) {
  FilterFixture filter("sni_cluster", "");
  filter.open();
  EXPECT_EQ(filter.info().filter_state, nullptr);
  filter.fromPeer("hello");
  EXPECT_EQ(filter.toBehind(), "hello");
}

} // namespace
} // namespace culvert
