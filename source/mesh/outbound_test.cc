// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/outbound.h"

#include "gtest/gtest.h"
#include "source/mesh/table_fixture.h"

namespace culvert::mesh {
namespace {

using Mode = LoadBalancing::Mode;
using Scope = LoadBalancing::Scope;

class OutboundTest : public TableFixture {
protected:
  OutboundTest() { workload("client", {"10.0.0.1", "fd00::1"}, hbone); }

  const Route& must(const RouteResult& result) { return std::get<Route>(result); }
  Edit<Workload> endpointOf(absl::string_view service, const Edit<Workload>& more = {}) {
    return [=, this, name = std::string(service)](Workload& workload) {
      workload.protocol = TunnelProtocol::kHbone;
      behind(workload, name);
      if (more) {
        more(workload);
      }
    };
  }
  Edit<Workload> elsewhere(absl::string_view gateway_address) {
    return [this, spelled = std::string(gateway_address)](Workload& workload) {
      workload.network = text("far");
      if (!spelled.empty()) {
        extras(workload, [&](WorkloadExtras& e) { e.network_gateway = gateway(spelled); });
      }
    };
  }
  void waypoint(absl::string_view name, std::vector<std::string> ips) {
    workload(name, std::move(ips), hbone);
  }
  Edit<Workload> behindWaypoint(absl::string_view spelled) {
    return [this, spelled = std::string(spelled)](Workload& w) {
      extras(w, [&](WorkloadExtras& e) { e.waypoint = gateway(spelled); });
    };
  }
  Edit<Service> serviceWaypoint(absl::string_view spelled) {
    return [this, spelled = std::string(spelled)](Service& s) { s.waypoint = gateway(spelled); };
  }
};

TEST_F(OutboundTest, AnUnknownDestinationPassesThrough) { // T-1
  EXPECT_EQ(route("1.2.3.4:80"), "TCP 1.2.3.4:80");
  EXPECT_FALSE(must(routeOf("1.2.3.4:80")).workload);
}

TEST_F(OutboundTest, AnotherNetworkWithoutGatewayIsRefused) { // T-2
  service("s", {"10.96.0.1"});
  workload("remote", {"10.0.0.2"}, endpointOf("s", elsewhere("")));
  EXPECT_EQ(route("10.96.0.1:80"), "denied: no valid routing destination for workload: remote");
}

TEST_F(OutboundTest, AnotherNetworkIsReachedThroughItsGateway) { // T-3
  service("s.host", {"10.96.0.1"}, {{80, 8080}}, [this](Service& s) {
    s.subject_alt_names = {text("spiffe://td/ns/ns/sa/san"), text("no identity")};
  });
  workload("remote", {"10.0.0.2"}, endpointOf("s.host", elsewhere("far/10.9.0.1:15009")));
  workload("gw", {"10.9.0.1"}, [this](Workload& w) { w.network = text("far"); });
  EXPECT_EQ(route("10.96.0.1:80"), "DOUBLE_HBONE 10.9.0.1:15009 for s.host:80");
  const RouteResult result = routeOf("10.96.0.1:80");
  EXPECT_EQ(principals(must(result).expected), "td/ns/ns/sa/gw");
  EXPECT_EQ(principals(must(result).inner_expected), "td/ns/ns/sa/san");
  EXPECT_EQ(must(result).workload->name, "gw");
  EXPECT_EQ(must(result).service->name, "s.host");
}

TEST_F(OutboundTest, AGatewayMayBeAServiceWithAPortOfItsOwn) { // T-4
  service("s.host", {"10.96.0.1"});
  workload("remote", {}, endpointOf("s.host", elsewhere("ns/gateway.host:15009")));
  service("gateway.host", {}, {{15009, 15008}});
  workload("gw", {"10.9.0.1"}, endpointOf("gateway.host"));
  EXPECT_EQ(route("10.96.0.1:80"), "DOUBLE_HBONE 10.9.0.1:15008 for s.host:80");
}

TEST_F(OutboundTest, AGatewayThatIsNotThereIsRefused) {
  service("s.host", {"10.96.0.1"});
  workload("remote", {"10.0.0.2"}, endpointOf("s.host", elsewhere("far/10.9.0.1:15009")));
  EXPECT_EQ(route("10.96.0.1:80"),
            "denied: unknown network gateway: network gateway far/10.9.0.1:15009 not found");
}

TEST_F(OutboundTest, AnotherNetworkNeedsAService) {
  workload("client", {"10.0.0.1"}, [this](Workload& w) { w.network = text("near"); });
  network_ = "near";
  workload("remote", {"10.0.0.2"}, [this](Workload& w) { w.network = text("near"); });
  EXPECT_EQ(route("10.0.0.2:80"), "TCP 10.0.0.2:80");
  workload("remote", {"10.0.0.2"}, elsewhere(""));
  EXPECT_EQ(route("10.0.0.2:80"), "TCP 10.0.0.2:80"); // Not known by that address here.
  EXPECT_FALSE(must(routeOf("10.0.0.2:80")).workload);
}

TEST_F(OutboundTest, AServicesWaypointInAnotherNetworkIsReachedThroughItsGateway) { // T-5
  service("s.host", {"10.96.0.1"}, {{80, 8080}}, serviceWaypoint("ns/wp.host:15008"));
  service("wp.host", {}, {{15008, 15008}},
          [this](Service& s) { s.subject_alt_names = {text("spiffe://td/ns/ns/sa/wp-san")}; });
  workload("wp", {"10.9.0.2"}, endpointOf("wp.host", elsewhere("far/10.9.0.1:15009")));
  workload("gw", {"10.9.0.1"}, [this](Workload& w) { w.network = text("far"); });
  EXPECT_EQ(route("10.96.0.1:80"), "DOUBLE_HBONE 10.9.0.1:15009 for s.host:80");
  EXPECT_EQ(principals(must(routeOf("10.96.0.1:80")).inner_expected), "td/ns/ns/sa/wp-san");
}

TEST_F(OutboundTest, FailsOverToAnotherNetwork) { // T-6
  service("s.host", {"10.96.0.1"}, {{80, 8080}}, [](Service& s) {
    s.load_balancing =
        LoadBalancing{{Scope::kNetwork}, Mode::kFailover, HealthPolicy::kOnlyHealthy};
  });
  workload("gw", {"10.9.0.1"}, [this](Workload& w) { w.network = text("far"); });
  workload("near", {"10.0.0.2"}, endpointOf("s.host"));
  workload("remote", {"10.0.0.3"}, endpointOf("s.host", elsewhere("far/10.9.0.1:15009")));
  EXPECT_EQ(route("10.96.0.1:80"), "HBONE 10.0.0.2:15008 for 10.0.0.2:8080");
  workload("near", {"10.0.0.2"},
           endpointOf("s.host", [](Workload& w) { w.health = Health::kUnhealthy; }));
  EXPECT_EQ(route("10.96.0.1:80"), "DOUBLE_HBONE 10.9.0.1:15009 for s.host:80");
}

TEST_F(OutboundTest, AKnownWorkloadIsReachedAsItSpeaks) { // T-7
  for (const char* node : {"node", "other"}) {
    const auto on = [&](TunnelProtocol protocol) {
      return [&, protocol](Workload& w) {
        w.node = text(node);
        w.protocol = protocol;
      };
    };
    workload("a", {"10.0.0.2"}, on(TunnelProtocol::kTcp));
    workload("b", {"10.0.0.3"}, on(TunnelProtocol::kHbone));
    EXPECT_EQ(route("10.0.0.2:80"), "TCP 10.0.0.2:80");
    EXPECT_EQ(route("10.0.0.3:80"), "HBONE 10.0.0.3:15008 for 10.0.0.3:80");
    EXPECT_EQ(principals(must(routeOf("10.0.0.3:80")).expected), "td/ns/ns/sa/b");
  }
}

TEST_F(OutboundTest, TheClientsOwnWaypointIsIgnored) { // T-8
  workload("client", {"10.0.0.1"}, behindWaypoint("/10.0.0.9:15008"));
  waypoint("wp", {"10.0.0.9"});
  workload("a", {"10.0.0.2"}, hbone);
  EXPECT_EQ(route("10.0.0.2:80"), "HBONE 10.0.0.2:15008 for 10.0.0.2:80");
}

TEST_F(OutboundTest, AWorkloadsWaypointIsAskedForTheWorkload) { // T-9
  waypoint("wp", {"10.0.0.9"});
  workload("a", {"10.0.0.2"}, behindWaypoint("/10.0.0.9:15008"));
  EXPECT_EQ(route("10.0.0.2:80"), "HBONE 10.0.0.9:15008 for 10.0.0.2:80");
  EXPECT_EQ(principals(must(routeOf("10.0.0.2:80")).expected), "td/ns/ns/sa/wp");
}

TEST_F(OutboundTest, AWaypointOfTheOtherFamilyWillDo) { // T-10
  waypoint("wp", {"10.0.0.9"});
  workload("a", {"10.0.0.2", "fd00::2"}, behindWaypoint("/10.0.0.9:15008"));
  EXPECT_EQ(route("[fd00::2]:80"), "HBONE 10.0.0.9:15008 for [fd00::2]:80");
}

TEST_F(OutboundTest, AServicesWaypointIsAskedForTheVip) { // T-11
  waypoint("wp", {"10.0.0.9"});
  service("s.host", {"10.96.0.1"}, {{80, 8080}}, serviceWaypoint("/10.0.0.9:15008"));
  EXPECT_EQ(route("10.96.0.1:80"), "HBONE 10.0.0.9:15008 for 10.96.0.1:80");
  EXPECT_EQ(route("10.96.0.1:81"), "HBONE 10.0.0.9:15008 for 10.96.0.1:81"); // Ports do not matter.
  EXPECT_EQ(must(routeOf("10.96.0.1:80")).service->name, "s.host");
}

TEST_F(OutboundTest, AWaypointMayBeNamed) {
  service("wp.host", {}, {{15008, 15008}},
          [this](Service& s) { s.subject_alt_names = {text("spiffe://td/ns/ns/sa/san")}; });
  workload("wp", {"10.0.0.9", "fd00::9"}, endpointOf("wp.host"));
  service("s.host", {"10.96.0.1", "fd96::1"}, {{80, 8080}}, serviceWaypoint("ns/wp.host:15008"));
  EXPECT_EQ(route("10.96.0.1:80"), "HBONE 10.0.0.9:15008 for 10.96.0.1:80");
  EXPECT_EQ(route("[fd96::1]:80"), "HBONE [fd00::9]:15008 for [fd96::1]:80");
  EXPECT_EQ(principals(must(routeOf("10.96.0.1:80")).expected), "td/ns/ns/sa/san td/ns/ns/sa/wp");
}

TEST_F(OutboundTest, AWaypointMayBeANamedWorkload) {
  workload("wp", {"10.0.0.9"}, [this](Workload& w) {
    extras(w, [this](WorkloadExtras& e) { e.hostname = text("wp.pod"); });
  });
  workload("a", {"10.0.0.2"}, behindWaypoint("ns/wp.pod:15010"));
  EXPECT_EQ(route("10.0.0.2:80"), "HBONE 10.0.0.9:15010 for 10.0.0.2:80");
}

TEST_F(OutboundTest, AMissingWaypointIsRefused) {
  workload("a", {"10.0.0.2"}, behindWaypoint("ns/wp.host:15008"));
  EXPECT_EQ(route("10.0.0.2:80"), "denied: unknown waypoint: waypoint wp.host not found");
  service("wp.host", {}, {{15008, 15008}}); // Without endpoints.
  EXPECT_EQ(route("10.0.0.2:80"), "denied: unknown waypoint: waypoint ns/wp.host:15008 not found");
  service("s.host", {"10.96.0.1"}, {{80, 8080}}, serviceWaypoint("/10.0.0.9:15008"));
  EXPECT_EQ(route("10.96.0.1:80"), "denied: unknown waypoint: waypoint /10.0.0.9:15008 not found");
}

TEST_F(OutboundTest, WhatAWaypointSendsOnDoesNotGoBackToIt) {
  service("wp.host", {}, {{15008, 15008}});
  workload("client", {"10.0.0.1"}, endpointOf("wp.host"));
  workload("a", {"10.0.0.2"}, [this](Workload& w) {
    hbone(w);
    behindWaypoint("ns/wp.host:15008")(w);
  });
  EXPECT_EQ(route("10.0.0.2:80"), "HBONE 10.0.0.2:15008 for 10.0.0.2:80");
  peer_ = ip("10.0.0.77"); // The identity alone does not make it the waypoint.
  EXPECT_EQ(route("10.0.0.2:80"), "HBONE 10.0.0.1:15008 for 10.0.0.2:80");
}

TEST_F(OutboundTest, AServiceWithoutEndpointsIsRefused) { // T-12
  service("s.host", {"10.96.0.1"});
  EXPECT_EQ(route("10.96.0.1:80"), "denied: no healthy upstream: 10.96.0.1:80");
  workload("a", {"10.0.0.2"}, endpointOf("s.host"));
  EXPECT_EQ(route("10.96.0.1:81"), "denied: no healthy upstream: 10.96.0.1:81"); // No such port.
}

TEST_F(OutboundTest, ANamedPortIsEachEndpointsOwn) { // T-13
  service("s.host", {"10.96.0.1"}, {{80, 0}});
  workload("without", {"10.0.0.2"}, endpointOf("s.host"));
  EXPECT_EQ(route("10.96.0.1:80"), "denied: no healthy upstream: 10.96.0.1:80");
  workload("with", {"10.0.0.3"}, [this](Workload& w) {
    hbone(w);
    behind(w, "s.host", {{80, 9090}});
  });
  for (int i = 0; i < 10; i++) {
    EXPECT_EQ(route("10.96.0.1:80"), "HBONE 10.0.0.3:15008 for 10.0.0.3:9090");
  }
}

TEST_F(OutboundTest, AHostsAddressIsNobodys) { // T-14
  service("s.host", {"10.96.0.1"}, {{80, 8080}});
  service("t.host", {"10.96.0.2"}, {{80, 9090}});
  const auto onHost = [this](const char* service) {
    return [=, this](Workload& w) {
      w.network_mode = NetworkMode::kHostNetwork;
      behind(w, service);
    };
  };
  workload("a", {"10.0.0.50"}, onHost("s.host"));
  workload("b", {"10.0.0.50"}, onHost("t.host"));
  EXPECT_EQ(must(routeOf("10.96.0.1:80")).workload->name, "a");
  EXPECT_EQ(must(routeOf("10.96.0.2:80")).workload->name, "b");
  EXPECT_EQ(route("10.96.0.2:80"), "TCP 10.0.0.50:9090");
  EXPECT_FALSE(must(routeOf("10.0.0.50:80")).workload);
}

TEST_F(OutboundTest, AWorkloadIsReachedAtTheAddressAskedFor) { // T-15
  workload("a", {"10.0.0.2", "fd00::2"}, hbone);
  EXPECT_EQ(route("10.0.0.2:80"), "HBONE 10.0.0.2:15008 for 10.0.0.2:80");
  EXPECT_EQ(route("[fd00::2]:80"), "HBONE [fd00::2]:15008 for [fd00::2]:80");
  workload("b", {"10.0.0.3", "10.0.0.4"}, hbone);
  EXPECT_EQ(route("10.0.0.4:80"), "HBONE 10.0.0.4:15008 for 10.0.0.4:80");
}

TEST_F(OutboundTest, AServiceMayForceAFamily) { // T-16
  workload("a", {"10.0.0.2", "fd00::2"}, endpointOf("s.host"));
  const auto of = [this](IpFamilies families) {
    service("s.host", {"10.96.0.1", "fd96::1"}, {{80, 8080}},
            [=](Service& s) { s.ip_families = families; });
    return absl::StrCat(route("10.96.0.1:80"), ", ", route("[fd96::1]:80"));
  };
  const std::string v4 = "HBONE 10.0.0.2:15008 for 10.0.0.2:8080";
  const std::string v6 = "HBONE [fd00::2]:15008 for [fd00::2]:8080";
  EXPECT_EQ(of(IpFamilies::kIpv4Only), absl::StrCat(v4, ", ", v4));
  EXPECT_EQ(of(IpFamilies::kIpv6Only), absl::StrCat(v6, ", ", v6));
  EXPECT_EQ(of(IpFamilies::kDual), absl::StrCat(v4, ", ", v6));
  EXPECT_EQ(of(IpFamilies::kAutomatic), absl::StrCat(v4, ", ", v6));
}

TEST_F(OutboundTest, APassthroughServiceIsLeftAlone) { // T-17
  const auto passthrough = [](Service& s) {
    s.load_balancing = LoadBalancing{{}, Mode::kPassthrough, HealthPolicy::kOnlyHealthy};
  };
  service("s.host", {"10.96.0.1"}, {{80, 8080}}, passthrough);
  workload("a", {"10.0.0.2"}, endpointOf("s.host"));
  EXPECT_EQ(route("10.96.0.1:80"), "TCP 10.96.0.1:80");
  EXPECT_FALSE(must(routeOf("10.96.0.1:80")).service);
  waypoint("wp", {"10.0.0.9"});
  service("s.host", {"10.96.0.1"}, {{80, 8080}}, [&](Service& s) {
    passthrough(s);
    s.waypoint = gateway("/10.0.0.9:15008");
  });
  EXPECT_EQ(route("10.96.0.1:80"), "HBONE 10.0.0.9:15008 for 10.96.0.1:80");
}

TEST_F(OutboundTest, AWorkloadWithOnlyANameIsLookedUp) {
  service("s.host", {"10.96.0.1"});
  workload("named", {}, endpointOf("s.host", [this](Workload& w) {
             extras(w, [this](WorkloadExtras& e) { e.hostname = text("db.example"); });
           }));
  RouteResult result = routeOf("10.96.0.1:80");
  EXPECT_EQ(words(result), "HBONE lookup(db.example)");
  Route& found = std::get<Route>(result);
  EXPECT_EQ(unresolvedError(found), "no ip addresses were resolved for workload: named");
  EXPECT_EQ(resolveRoute(found, {}, random_).message(),
            "ip addresses were resolved for workload named, but valid dns response had no A/AAAA "
            "records");
  const std::vector<net::Address> answers = {at("[fd00::7]:0"), at("192.0.2.7:0")};
  ASSERT_TRUE(resolveRoute(found, answers, random_).ok());
  EXPECT_EQ(words(result), "HBONE 192.0.2.7:15008 for 192.0.2.7:8080"); // The client's family.
}

TEST_F(OutboundTest, AnotherFamilyIsTakenIfThatIsAllThereIs) {
  Route route;
  route.destination = at("[::]:80");
  route.unresolved = HostnameToResolve{"db.example", false};
  ASSERT_TRUE(resolveRoute(route, {at("[fd00::7]:0")}, random_).ok());
  EXPECT_EQ(route.destination.toString(), "[fd00::7]:80");
}

TEST_F(OutboundTest, AnApplicationTunnelsPortServesWhatAServiceDoesNotMap) {
  service("s.host", {"10.96.0.1"}, {{80, 0}});
  workload("a", {"10.0.0.2"}, endpointOf("wp.host", [](Workload& w) {
             extras(w,
                    [](WorkloadExtras& e) { e.app_tunnel = {AppTunnel::Protocol::kProxy, 15088}; });
           }));
  service("wp.host", {"10.96.0.9"}, {}); // A waypoint that lists no port.
  service("s.host", {"10.96.0.1"}, {{80, 0}}, serviceWaypoint("/10.96.0.9:15008"));
  EXPECT_EQ(route("10.96.0.1:80"), "HBONE 10.0.0.2:15008 for 10.96.0.1:80");
}

} // namespace
} // namespace culvert::mesh
