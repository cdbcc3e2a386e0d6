// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "source/filter_api/well_known_state.h"
#include "source/mesh/node/connection_record.h"
#include "source/mesh/node/node_for_test.h"
#include "source/net/proxy_header.h"
#include "source/net/upstream_source.h"
#include "test/kit/filter_fixture.h"

namespace culvert {
namespace {

// A connection from 10.0.0.1 to the workload "cart", 10.0.0.2.
class MeshInboundTest : public testing::Test {
protected:
  MeshInboundTest() { FilterFixture::setMesh(&mesh_.node); }
  ~MeshInboundTest() override { FilterFixture::setMesh(nullptr); }

  FilterFixture& filter(absl::string_view config = "") {
    if (filter_ == nullptr) {
      filter_ = std::make_unique<FilterFixture>("mesh_inbound", config);
    }
    return *filter_;
  }
  // Makes it a tunnel to `authority`, which came in at 10.0.0.2:15008.
  void ask(const std::string& authority, const net::RequestInfo::Fields& more = {}) {
    ConnectionInfo& info = filter().info();
    info.local = *net::Address::parseIpPort("10.0.0.2:15008");
    info.request = std::make_unique<net::RequestInfo>();
    info.request->headers = {{":method", "CONNECT"}, {":authority", authority}};
    info.request->headers.insert(info.request->headers.end(), more.begin(), more.end());
    info.request->answer = answer_;
    filter().open();
  }
  std::string left(absl::string_view key) {
    const net::FilterState::Object* const object = filter().info().filter_state->find(key);
    return object == nullptr ? "" : object->serialize();
  }

  mesh::NodeForTest mesh_{"cart"};
  std::shared_ptr<net::ConnectAnswer> answer_ = std::make_shared<net::ConnectAnswer>();
  std::unique_ptr<FilterFixture> filter_;
};

TEST_F(MeshInboundTest, ATunnelLeadsToTheApplication) {
  mesh_.add("cart", "10.0.0.2");
  ask("10.0.0.2:8080");
  EXPECT_FALSE(filter().isClosed());
  EXPECT_EQ(left(kOriginalDstAddress), "10.0.0.2:8080");
  EXPECT_EQ(answer_->accept_headers[0].first, "baggage");
  EXPECT_EQ(filter().count("accepted"), 1u);
}

TEST_F(MeshInboundTest, WhoComesThroughAGatewayIsWhoItSays) {
  mesh_.add("cart", "10.0.0.2");
  mesh_.add("gateway", "10.0.0.1");
  ask("10.0.0.2:8080", {{"x-forwarded-network", "far"}, {"baggage", "service.name=web"}});
  const auto* const record = mesh::ConnectionRecord::of(filter().info());
  EXPECT_EQ(record->field("src.workload"), "web");
  EXPECT_EQ(record->field("src.namespace"), std::nullopt);
}

TEST_F(MeshInboundTest, WhoIsKnownByItsAddressIsThat) {
  mesh_.add("cart", "10.0.0.2");
  mesh_.add("web", "10.0.0.1");
  ask("10.0.0.2:8080", {{"baggage", "service.name=somebody"}});
  EXPECT_EQ(mesh::ConnectionRecord::of(filter().info())->field("src.workload"), "web");
}

TEST_F(MeshInboundTest, ATunnelToAnotherPodIsABadRequest) {
  mesh_.add("cart", "10.0.0.2");
  ask("10.0.0.9:8080");
  EXPECT_TRUE(filter().isClosed());
  EXPECT_EQ(answer_->refusal, 400u);
  EXPECT_EQ(left(mesh::ConnectionRecord::kKey), "ip mismatch: 10.0.0.2 != 10.0.0.9");
}

TEST_F(MeshInboundTest, ATunnelToTheNodeItselfIsRefused) {
  mesh_.add("cart", "10.0.0.2");
  ask("10.0.0.2:15006");
  EXPECT_EQ(answer_->refusal, 503u);
  EXPECT_EQ(filter().count("refused"), 1u);
}

TEST_F(MeshInboundTest, APlainConnectionGoesOn) {
  mesh_.add("cart", "10.0.0.2");
  mesh_.add("web", "10.0.0.1");
  filter().open();
  EXPECT_EQ(left(kOriginalDstAddress), "10.0.0.2:80");
  EXPECT_EQ(mesh::ConnectionRecord::of(filter().info())->field("src.workload"), "web");
  EXPECT_EQ(left(net::UpstreamSource::kKey), "");
}

TEST_F(MeshInboundTest, TheSourceIsKept) {
  mesh_.add("cart", "10.0.0.2");
  filter("keep_source_address: true packet_mark: 1337").open();
  EXPECT_EQ(left(net::UpstreamSource::kKey), "10.0.0.1:0");
}

TEST_F(MeshInboundTest, WhoWantsAProxyHeaderGetsOne) {
  mesh_.add("cart", "10.0.0.2", mesh::TunnelProtocol::kHbone, mesh::AppTunnel::Protocol::kProxy);
  filter("proxy_cluster: 'proxied'");
  ask("10.0.0.2:8080");
  EXPECT_EQ(left(kOriginalDstAddress), "127.0.0.1:8080");
  EXPECT_EQ(left(kTcpProxyCluster), "proxied");
  const auto* const header =
      filter().info().filter_state->find<net::ProxyHeader>(net::ProxyHeader::kKey);
  ASSERT_NE(header, nullptr);
  EXPECT_EQ(header->source.toString(), "10.0.0.1:1000");
  EXPECT_EQ(header->destination.toString(), "10.0.0.2:8080");
}

TEST_F(MeshInboundTest, WithoutAClusterForThemProxyHeadersAreRefused) {
  mesh_.add("cart", "10.0.0.2", mesh::TunnelProtocol::kHbone, mesh::AppTunnel::Protocol::kProxy);
  ask("10.0.0.2:8080");
  EXPECT_EQ(answer_->refusal, 503u);
}

TEST_F(MeshInboundTest, ItsOwnWorkloadIsWaitedFor) {
  mesh_.node.addLoop(filter().loop());
  filter().fromPeer("early");
  ask("10.0.0.2:8080");
  filter().advance(std::chrono::seconds(4));
  EXPECT_EQ(filter().toBehind(), "");
  mesh_.add("cart", "10.0.0.2");
  filter().advance({});
  EXPECT_EQ(left(kOriginalDstAddress), "10.0.0.2:8080");
  EXPECT_EQ(filter().toBehind(), "early");
}

TEST_F(MeshInboundTest, WithoutItsOwnWorkloadNobodyComesIn) {
  ask("10.0.0.2:8080");
  EXPECT_FALSE(filter().isClosed());
  filter().advance(mesh::WorkloadWait::kTimeout);
  EXPECT_TRUE(filter().isClosed());
  EXPECT_EQ(answer_->refusal, 503u);
}

TEST(MeshInbound, WhoTakesSocks5IsNotReachedThere) {
  for (const bool socks5 : {false, true}) {
    mesh::NodeForTest mesh("cart", nullptr, socks5);
    FilterFixture::setMesh(&mesh.node);
    mesh.add("cart", "10.0.0.2");
    FilterFixture filter("mesh_inbound", "");
    filter.info().local = *net::Address::parseIpPort("10.0.0.2:15080");
    filter.open();
    EXPECT_EQ(filter.isClosed(), socks5);
    FilterFixture::setMesh(nullptr);
  }
}

TEST(MeshInbound, NeedsTheMesh) {
  EXPECT_EQ(FilterFixture::load("mesh_inbound", "").message(),
            "the bootstrap has no extension culvert.bootstrap.mesh");
}

} // namespace
} // namespace culvert
