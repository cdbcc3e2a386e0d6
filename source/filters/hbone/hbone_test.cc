// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "source/filter_api/well_known_state.h"
#include "source/mesh/node/connection_record.h"
#include "source/mesh/node/node_for_test.h"
#include "source/mesh/node/outcome.h"
#include "source/net/expected_peer.h"
#include "source/net/tunnel_observer.h"
#include "test/fakes/fake_resolver.h"
#include "test/kit/filter_fixture.h"

namespace culvert {
namespace {

constexpr char kConfig[] = "tunnel_cluster: 'tunnels' plain_cluster: 'plain'";
constexpr char kWithGateways[] =
    "tunnel_cluster: 'tunnels' plain_cluster: 'plain' gateway_cluster: 'gateways'";

// A connection of the workload "web", 10.0.0.1, to 10.0.0.2:80.
class HboneTest : public testing::Test {
protected:
  HboneTest() { FilterFixture::setMesh(&mesh_.node); }
  ~HboneTest() override { FilterFixture::setMesh(nullptr); }

  std::string left(absl::string_view key) {
    const net::FilterState::Object* const object = filter().info().filter_state->find(key);
    return object == nullptr ? "" : object->serialize();
  }
  std::string field(absl::string_view name) {
    return mesh::ConnectionRecord::of(filter().info())->field(name).value_or("");
  }
  FilterFixture& filter() {
    if (filter_ == nullptr) {
      filter_ = std::make_unique<FilterFixture>("hbone", kConfig);
    }
    return *filter_;
  }

  test::FakeResolver* resolver_ = nullptr; // Null before the first question.
  mesh::NodeForTest mesh_{"web", [this] {
                            auto made = std::make_unique<test::FakeResolver>();
                            resolver_ = made.get();
                            return made;
                          }};
  std::unique_ptr<FilterFixture> filter_;
};

TEST_F(HboneTest, AWorkloadOfTheMeshIsReachedByATunnel) {
  mesh_.add("web", "10.0.0.1");
  mesh_.add("cart", "10.0.0.2");
  filter().open();
  EXPECT_EQ(left(kTcpProxyCluster), "tunnels");
  EXPECT_EQ(left(kOriginalDstAddress), "10.0.0.2:15008");
  EXPECT_EQ(left(net::ExpectedPeer::kKey), "spiffe://cluster.local/ns/shop/sa/cart");
  EXPECT_EQ(left(kTcpProxyNoTunnel), "");
  EXPECT_EQ(field("authority"), "10.0.0.2:80");
  EXPECT_EQ(field("forwarded"), "for=\"10.0.0.1:1000\"");
  EXPECT_EQ(field("traceparent").size(), 55u);
  EXPECT_EQ(field("src.identity"), "spiffe://cluster.local/ns/shop/sa/web");
  EXPECT_EQ(filter().count("tunnels"), 1u);
}

TEST_F(HboneTest, WhoIsNotInTheMeshIsReachedAsHeIs) {
  mesh_.add("web", "10.0.0.1");
  filter().open();
  EXPECT_EQ(left(kTcpProxyCluster), "plain");
  EXPECT_EQ(left(kOriginalDstAddress), "10.0.0.2:80");
  EXPECT_EQ(left(kTcpProxyNoTunnel), "true");
  EXPECT_EQ(field("authority"), "");
  EXPECT_EQ(filter().count("plain"), 1u);
}

TEST_F(HboneTest, AWorkloadWithoutTunnelsIsReachedAsItIs) {
  mesh_.add("web", "10.0.0.1");
  mesh_.add("cart", "10.0.0.2", mesh::TunnelProtocol::kTcp);
  filter().open();
  EXPECT_EQ(left(kTcpProxyCluster), "plain");
  EXPECT_EQ(field("dst.workload"), "cart");
}

TEST_F(HboneTest, ItsOwnWorkloadIsWaitedFor) {
  mesh_.node.addLoop(filter().loop());
  filter().fromPeer("early");
  filter().open();
  mesh_.add("cart", "10.0.0.2");
  filter().advance(std::chrono::seconds(4));
  EXPECT_FALSE(filter().isClosed());
  EXPECT_EQ(filter().toBehind(), "");
  mesh_.add("web", "10.0.0.1");
  filter().advance({});
  EXPECT_EQ(left(kTcpProxyCluster), "tunnels");
  EXPECT_EQ(filter().toBehind(), "early");
}

TEST_F(HboneTest, WhoWaitsMayLeave) {
  mesh_.node.addLoop(filter().loop());
  filter().open();
  filter().resetFromPeer();
  EXPECT_TRUE(filter().isClosed());
  mesh_.add("web", "10.0.0.1");
  filter().advance(std::chrono::seconds(10));
  EXPECT_EQ(left(kTcpProxyCluster), "");
}

// Connections to a service whose only endpoint has a name and no address.
class HboneLookupTest : public HboneTest {
protected:
  HboneLookupTest() {
    mesh_.add("web", "10.0.0.1");
    mesh_.addService("db.shop", "10.0.0.2");
    mesh_.add("db", [this](mesh::Workload& workload, mesh::WorkloadExtras& extras) {
      mesh_.behind("db.shop", workload);
      extras.hostname = mesh_.text("db.example");
    });
    filter().open();
    mesh_.main.runOnce(false);
  }
  void answer(const std::vector<std::string>& addresses) {
    resolver_->answer("db.example", addresses);
    filter().advance({});
  }
};

TEST_F(HboneLookupTest, ANameIsLookedUp) {
  EXPECT_EQ(filter().count("tunnels"), 0u);
  answer({"2001:db8::7", "192.0.2.7"});
  EXPECT_EQ(left(kOriginalDstAddress), "192.0.2.7:15008");
  EXPECT_EQ(field("authority"), "192.0.2.7:8080");
  EXPECT_EQ(left(mesh::ConnectionRecord::kKey), ""); // No error.
  EXPECT_TRUE(absl::StrContains(mesh_.node.traffic().render(), "hostname=\"db.example\"} 1\n"));
}

TEST_F(HboneLookupTest, WhatIsKnownOfNobodyIsRefused) {
  answer({});
  EXPECT_TRUE(filter().isClosed());
  EXPECT_EQ(left(mesh::ConnectionRecord::kKey),
            "no ip addresses were resolved for workload: c1//Pod/shop/db");
}

TEST_F(HboneLookupTest, WhoWaitsForItMayLeave) {
  filter().resetFromPeer();
  EXPECT_TRUE(filter().isClosed());
  answer({"192.0.2.7"});
  EXPECT_EQ(left(kTcpProxyCluster), "");
}

// Connections to the service db.shop, whose endpoint is in the network "far" behind a gateway.
class HboneCrossingTest : public HboneTest {
protected:
  HboneCrossingTest() {
    mesh_.add("web", "10.0.0.1");
    mesh_.addService("db.shop", "10.0.0.2", [this](mesh::Service& service) {
      service.subject_alt_names = {mesh_.text("spiffe://cluster.local/ns/shop/sa/db")};
    });
    addFar("gateway", "10.9.0.1", [](mesh::Workload&, mesh::WorkloadExtras&) {});
    filter_ = std::make_unique<FilterFixture>("hbone", kWithGateways);
  }
  void addFar(const std::string& name, const std::string& ip,
              const mesh::NodeForTest::Edit<mesh::Workload, mesh::WorkloadExtras>& edit) {
    mesh_.add(name, [&](mesh::Workload& workload, mesh::WorkloadExtras& extras) {
      workload.ips.push_back(*mesh::Ip::parse(ip));
      workload.network = mesh_.text("far");
      edit(workload, extras);
    });
  }
  void addEndpoint(const std::string& service) {
    addFar("db", "10.9.0.2", [&](mesh::Workload& workload, mesh::WorkloadExtras& extras) {
      mesh_.behind(service, workload);
      extras.network_gateway = {
          mesh::NetworkAddress{mesh_.text("far"), *mesh::Ip::parse("10.9.0.1")}, 15009};
    });
  }
  bool counts(absl::string_view line) {
    return absl::StrContains(mesh_.node.traffic().render(), line);
  }
  void tunnelOpens() {
    const auto* const observer =
        filter().info().filter_state->find<net::TunnelObserver>(net::TunnelObserver::kKey);
    ASSERT_NE(observer, nullptr);
    observer->onTunnelOpened({{":status", "200"}, {"baggage", "k8s.deployment.name=database"}},
                             nullptr);
  }
};

TEST_F(HboneCrossingTest, AnotherNetworkIsReachedByATunnelInATunnel) {
  addEndpoint("db.shop");
  filter().open();
  EXPECT_EQ(left(kTcpProxyCluster), "gateways");
  EXPECT_EQ(left(net::ExpectedPeer::kKey), "spiffe://cluster.local/ns/shop/sa/db");
  EXPECT_EQ(field("authority"), "db.shop:80");
  EXPECT_EQ(field("dst.addr"), "10.9.0.1:15009");
  EXPECT_EQ(field("dst.workload"), "gateway");
  EXPECT_FALSE(counts("connections_opened_total{"));
  tunnelOpens();
  EXPECT_EQ(field("dst.workload"), "database");
  EXPECT_TRUE(counts("destination_workload=\"database\""));
  EXPECT_TRUE(counts("connections_opened_total{"));
}

TEST_F(HboneCrossingTest, ItsCarrierGoesToTheGateway) {
  addEndpoint("db.shop");
  filter().open();
  FilterFixture carrier("hbone", kWithGateways, filter());
  carrier.info().filter_state = filter().info().filter_state->shared();
  carrier.info().remote = net::Address::internal("client", "");
  carrier.open();
  const net::FilterState& state = *carrier.info().filter_state;
  EXPECT_EQ(state.find(kTcpProxyCluster)->serialize(), "tunnels");
  EXPECT_EQ(state.find(kOriginalDstAddress)->serialize(), "10.9.0.1:15009");
  EXPECT_EQ(state.find(net::ExpectedPeer::kKey)->serialize(),
            "spiffe://cluster.local/ns/shop/sa/gateway");
  EXPECT_EQ(carrier.count("tunnels"), 1u); // The one that it carries.
}

TEST_F(HboneCrossingTest, WhatItsCarrierFailedOfIsTheReason) {
  addEndpoint("db.shop");
  filter().open();
  {
    FilterFixture carrier("hbone", kWithGateways, filter());
    carrier.info().filter_state = filter().info().filter_state->shared();
    carrier.open();
    carrier.info().response_flags |= net::kUpstreamConnectionFailure;
    carrier.info().mutableUpstream().failure_reason = "tunnel_response:503";
    carrier.resetFromPeer();
  }
  ConnectionInfo& info = filter().info();
  info.mutableUpstream().failure_reason = "the handshake found nobody";
  EXPECT_EQ(mesh::Outcome::of(info, *mesh::ConnectionRecord::of(info)).error, "");
  info.response_flags |= net::kUpstreamConnectionFailure;
  EXPECT_EQ(mesh::Outcome::of(info, *mesh::ConnectionRecord::of(info)).error,
            "http status: 503 Service Unavailable");
  filter().resetFromPeer();
  EXPECT_TRUE(counts("connections_opened_total{")); // With the first that is known of it.
}

TEST_F(HboneCrossingTest, AWaypointMayBeInAnotherNetwork) {
  addEndpoint("waypoint.shop");
  mesh_.addService("waypoint.shop", "10.0.0.3", [this](mesh::Service& service) {
    service.subject_alt_names = {mesh_.text("spiffe://cluster.local/ns/shop/sa/waypoint")};
    service.ports = mesh::PortMap::create({{15008, 15008}}, mesh_.node.table().texts());
  });
  mesh_.addService("db.shop", "10.0.0.2", [this](mesh::Service& service) {
    service.waypoint = mesh::GatewayAddress{
        mesh::NamespacedHostname{mesh_.text("shop"), mesh_.text("waypoint.shop")}, 15008};
  });
  filter().open();
  EXPECT_EQ(left(kTcpProxyCluster), "gateways");
  EXPECT_EQ(left(net::ExpectedPeer::kKey), "spiffe://cluster.local/ns/shop/sa/waypoint");
  EXPECT_EQ(field("authority"), "db.shop:80");
}

TEST_F(HboneCrossingTest, WithoutAClusterForThemOtherNetworksAreRefused) {
  addEndpoint("db.shop");
  filter_ = std::make_unique<FilterFixture>("hbone", kConfig);
  filter().open();
  EXPECT_TRUE(filter().isClosed());
  EXPECT_EQ(left(mesh::ConnectionRecord::kKey),
            "the way is to another network, and no gateway_cluster is named");
}

TEST_F(HboneTest, WithoutItsOwnWorkloadItServesNobody) {
  filter().open();
  EXPECT_FALSE(filter().isClosed());
  filter().advance(mesh::WorkloadWait::kTimeout);
  EXPECT_TRUE(filter().isClosed());
  EXPECT_EQ(left(mesh::ConnectionRecord::kKey),
            "failed to fetch information about local workload: web.shop (web)");
  EXPECT_EQ(filter().count("denied"), 1u);
}

TEST_F(HboneTest, ACallToItselfIsRefused) {
  mesh_.add("web", "10.0.0.1");
  filter().info().local = *net::Address::parseIpPort("127.0.0.1:15001");
  filter().open();
  EXPECT_TRUE(filter().isClosed());
  EXPECT_EQ(left(mesh::ConnectionRecord::kKey), "attempted recursive call to ourselves");
}

TEST(Hbone, WhoTakesSocks5IsNotCalledThere) {
  for (const bool socks5 : {false, true}) {
    mesh::NodeForTest mesh("web", nullptr, socks5);
    FilterFixture::setMesh(&mesh.node);
    mesh.add("web", "10.0.0.1");
    FilterFixture filter("hbone", kConfig);
    filter.info().local = *net::Address::parseIpPort("127.0.0.1:15080");
    filter.open();
    EXPECT_EQ(filter.isClosed(), socks5);
    FilterFixture::setMesh(nullptr);
  }
}

TEST(Hbone, NeedsTheMesh) {
  EXPECT_EQ(FilterFixture::load("hbone", kConfig).message(),
            "tunnel_cluster: the bootstrap has no extension culvert.bootstrap.mesh");
}

} // namespace
} // namespace culvert
