// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "source/filter_api/well_known_state.h"
#include "test/kit/filter_fixture.h"

namespace culvert {
namespace {

TEST(TcpProxy, ClosesWhenItsClusterIsNotKnown) {
  FilterFixture filter("tcp_proxy", R"pb(stat_prefix: "in" cluster: "nowhere")pb");
  filter.open();
  EXPECT_EQ(filter.closed().code, CloseCode::kNoCluster);
  EXPECT_EQ(filter.info().response_flags, uint32_t{net::kNoClusterFound});
  EXPECT_EQ(filter.info().local_close_reason, "tcp_initializion_failure:3");
  EXPECT_EQ(filter.stat("tcp.in.downstream_cx_no_route"), 1u);
}

TEST(TcpProxy, TakesTheClusterThatAFilterBeforeItNamed) {
  FilterFixture filter("tcp_proxy", R"pb(stat_prefix: "in" cluster: "configured")pb");
  filter.info().mutableFilterState().set(kTcpProxyCluster, std::make_shared<ClusterName>("named"));
  filter.open();
  EXPECT_EQ(filter.clusterAskedFor(), "named");
}

TEST(TcpProxy, WaitsForTheFirstByteWhenAskedTo) {
  FilterFixture filter("tcp_proxy",
                       R"pb(stat_prefix: "in"
                            cluster: "nowhere"
                            upstream_connect_mode: ON_DOWNSTREAM_DATA
                            max_early_data_bytes { value: 100 })pb");
  filter.open();
  EXPECT_FALSE(filter.isClosed());
  filter.fromPeer("x");
  EXPECT_EQ(filter.closed().code, CloseCode::kNoCluster);
  EXPECT_EQ(filter.stat("tcp.in.early_data_received_count_total"), 1u);
}

TEST(TcpProxy, EndsASessionAtItsMaximumDuration) {
  FilterFixture filter("tcp_proxy",
                       R"pb(stat_prefix: "in"
                            cluster: "nowhere"
                            upstream_connect_mode: ON_DOWNSTREAM_DATA
                            max_early_data_bytes { value: 100 }
                            max_downstream_connection_duration { seconds: 2 })pb");
  filter.open();
  filter.advance(std::chrono::milliseconds(1999));
  EXPECT_FALSE(filter.isClosed());
  filter.advance(std::chrono::milliseconds(1));
  EXPECT_EQ(filter.closed().code, CloseCode::kMaxDuration);
  EXPECT_EQ(filter.info().response_flags, uint32_t{net::kDurationTimeout});
  EXPECT_EQ(filter.stat("tcp.in.max_downstream_connection_duration"), 1u);
}

TEST(TcpProxy, RefusesToWaitForBytesThatItMayNotKeep) {
  const absl::Status status = FilterFixture::load(
      "tcp_proxy",
      R"pb(stat_prefix: "in" cluster: "c" upstream_connect_mode: ON_DOWNSTREAM_DATA)pb");
  EXPECT_EQ(status.message(),
            "max_early_data_bytes: max_early_data_bytes must be set when upstream_connect_mode is "
            "not IMMEDIATE");
}

} // namespace
} // namespace culvert
