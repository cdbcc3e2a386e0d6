// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/inbound.h"

#include "gtest/gtest.h"
#include "source/mesh/table_fixture.h"

namespace culvert::mesh {
namespace {

class InboundTest : public TableFixture {
protected:
  InboundTest() { workload("pod", {"10.0.0.2"}); }

  // Where a CONNECT to the pod leads, in words.
  std::string connect(absl::string_view authority, absl::string_view method = "CONNECT") {
    const TableReader reader(table_);
    const InboundResult result =
        acceptHbone(reader, {*reader.workload("pod"), pod_.withPort(15008), text(network_), method,
                             authority, forwarded_host_, IllegalPorts(true), localhost_});
    if (const auto* refusal = std::get_if<Refusal>(&result); refusal != nullptr) {
      return absl::StrCat(refusal->status, " ", refusal->error);
    }
    const InboundUpstream& upstream = std::get<InboundUpstream>(result);
    service_ = upstream.service ? upstream.service->name.string() : "-";
    EXPECT_EQ(upstream.spoof_source, upstream.connect_to == upstream.destination);
    return absl::StrCat(upstream.destination.toString(),
                        upstream.spoof_source ? "" : " at " + upstream.connect_to.toString(),
                        upstream.proxy_destination.has_value()
                            ? " PROXY " + upstream.proxy_destination->toString()
                            : "");
  }
  void pod(const Edit<Workload>& edit) { workload("pod", {"10.0.0.2"}, edit); }
  Edit<Workload> tunnelled(AppTunnel tunnel, absl::string_view service = "") {
    return [=, this, service = std::string(service)](Workload& w) {
      extras(w, [&](WorkloadExtras& e) { e.app_tunnel = tunnel; });
      if (!service.empty()) {
        behind(w, service);
      }
    };
  }
  Edit<Workload> behindWaypoint(absl::string_view spelled) {
    return [this, spelled = std::string(spelled)](Workload& w) {
      extras(w, [&](WorkloadExtras& e) { e.waypoint = gateway(spelled); });
    };
  }

  Ip pod_ = ip("10.0.0.2");
  bool localhost_ = true;
  std::string forwarded_host_;
  std::string service_;
};

TEST_F(InboundTest, APodIsAskedByItsAddress) { // T-34, T-36
  EXPECT_EQ(connect("10.0.0.2:80"), "10.0.0.2:80");
  EXPECT_EQ(connect("[::ffff:10.0.0.2]:80"), "10.0.0.2:80");
}

TEST_F(InboundTest, AnotherAddressIsNotItsOwn) { // T-35
  EXPECT_EQ(connect("10.0.0.3:80"), "400 ip mismatch: 10.0.0.2 != 10.0.0.3");
  workload("other", {"10.0.0.3"});
  EXPECT_EQ(connect("10.0.0.3:80"), "400 ip mismatch: 10.0.0.2 != 10.0.0.3");
}

TEST_F(InboundTest, WhatIsNoConnectOrNoAddressIsABadRequest) {
  EXPECT_EQ(connect("10.0.0.2:80", "GET"), "400 expected method CONNECT, got GET");
  for (const char* authority : {"", "10.0.0.2", ":", "a:b", "10.0.0.2:99999", "10.0.0.2:-1"}) {
    EXPECT_EQ(connect(authority),
              absl::StrCat("400 no valid authority pseudo header: ", authority));
  }
  EXPECT_EQ(connect(":80"), "503 no service or workload for hostname: ");
  EXPECT_EQ(connect("1.2.3:80"), "503 no service or workload for hostname: 1.2.3");
}

TEST_F(InboundTest, AServiceIsAskedByItsName) { // T-34
  service("s.host", {"10.96.0.1"}, {{80, 8080}, {81, 0}, {82, 0}});
  pod([this](Workload& w) { behind(w, "s.host", {{81, 8181}}); });
  EXPECT_EQ(connect("s.host:80"), "10.0.0.2:8080");
  EXPECT_EQ(service_, "s.host");
  EXPECT_EQ(connect("s.host:81"), "10.0.0.2:8181");
  EXPECT_EQ(connect("s.host:82"), "503 requested service s.host:82 found, but cannot resolve port");
  EXPECT_EQ(connect("s.host:83"), "503 requested service s.host:83 found, but cannot resolve port");
  EXPECT_EQ(connect("t.host:80"), "503 no service or workload for hostname: t.host");
}

TEST_F(InboundTest, NobodyIsLedToTheNodeItself) {
  for (const char* port : {"15001", "15006", "15008", "15080"}) {
    EXPECT_EQ(connect(absl::StrCat("10.0.0.2:", port)),
              "503 attempted recursive call to ourselves");
  }
  service("s.host", {}, {{80, 15008}});
  EXPECT_EQ(connect("s.host:80"), "503 attempted recursive call to ourselves");
  EXPECT_EQ(connect("10.0.0.2:15020"), "10.0.0.2:15020");
  EXPECT_FALSE(IllegalPorts(false).contains(15080));
  EXPECT_TRUE(isIllegalOutbound(IllegalPorts(false), at("127.0.0.1:15001")));
  EXPECT_FALSE(isIllegalOutbound(IllegalPorts(false), at("10.0.0.2:15001")));
}

TEST_F(InboundTest, AnApplicationTunnelHasAPortOfItsOwn) { // T-34, T-36
  pod(tunnelled({AppTunnel::Protocol::kNone, 15088}));
  EXPECT_EQ(connect("10.0.0.2:80"), "10.0.0.2:15088");
  EXPECT_EQ(connect("10.96.0.1:80"), "10.0.0.2:15088"); // It may be asked for anything.
  pod(tunnelled({AppTunnel::Protocol::kProxy, 15088}));
  EXPECT_EQ(connect("10.96.0.1:80"), "10.0.0.2:15088 at 127.0.0.1:15088 PROXY 10.96.0.1:80");
  localhost_ = false;
  EXPECT_EQ(connect("10.96.0.1:80"), "10.0.0.2:15088 PROXY 10.96.0.1:80");
  pod(tunnelled({AppTunnel::Protocol::kProxy, 0}));
  EXPECT_EQ(connect("10.96.0.1:80"), "10.0.0.2:80 PROXY 10.96.0.1:80");
}

TEST_F(InboundTest, AProxyHeaderNeedsAnAddressForAName) {
  service("s.host", {}, {{80, 8080}});
  pod(tunnelled({AppTunnel::Protocol::kProxy, 15088}, "s.host"));
  EXPECT_EQ(connect("s.host:80"), "503 requested service s.host found, but has no IP addresses");
  service("s.host", {"far/10.96.0.7", "fd96::1", "10.96.0.1"}, {{80, 8080}});
  EXPECT_EQ(connect("s.host:80"), "10.0.0.2:15088 at 127.0.0.1:15088 PROXY 10.96.0.1:80");
  service("s.host", {"far/10.96.0.7", "fd96::1"}, {{80, 8080}});
  EXPECT_EQ(connect("s.host:80"), "10.0.0.2:15088 at 127.0.0.1:15088 PROXY [fd96::1]:80");
  service("s.host", {"far/10.96.0.7"}, {{80, 8080}});
  EXPECT_EQ(connect("s.host:80"), "10.0.0.2:15088 at 127.0.0.1:15088 PROXY 10.96.0.7:80");
}

TEST_F(InboundTest, AWaypointIsAskedForItsWorkloads) {            // T-34
  workload("a", {"10.0.0.3"}, behindWaypoint("/10.0.0.2:15008")); // By the pod's address.
  EXPECT_EQ(connect("10.0.0.3:80"), "10.0.0.2:80");
  service("wp.host", {"10.96.0.9"}, {{15008, 15008}});
  pod([this](Workload& w) { behind(w, "wp.host"); });
  workload("a", {"10.0.0.3"}, behindWaypoint("/10.96.0.9:15008")); // By VIP.
  EXPECT_EQ(connect("10.0.0.3:80"), "10.0.0.2:80");
  workload("a", {"10.0.0.3"}, behindWaypoint("ns/wp.host:15008"));
  EXPECT_EQ(connect("10.0.0.3:80"), "10.0.0.2:80");
}

TEST_F(InboundTest, AWaypointIsAskedForItsServices) { // T-34, T-35
  const auto behindPod = [this](Service& s) { s.waypoint = gateway("/10.0.0.2:15008"); };
  service("s.host", {"10.96.0.1"}, {{80, 8080}}, behindPod);
  workload("a", {"10.0.0.3"}, [this](Workload& w) { behind(w, "s.host"); });
  EXPECT_EQ(connect("10.96.0.1:80"), "10.0.0.2:80");
  EXPECT_EQ(connect("10.0.0.3:80"), "400 ip mismatch: 10.0.0.2 != 10.0.0.3"); // Services only.
  service("s.host", {"10.96.0.1"}, {{80, 8080}});
  workload("a", {"10.0.0.3"}, behindWaypoint("/10.0.0.2:15008"));
  EXPECT_EQ(connect("10.0.0.3:80"), "10.0.0.2:80");
  EXPECT_EQ(connect("10.96.0.1:80"), "400 ip mismatch: 10.0.0.2 != 10.96.0.1"); // And the reverse.
}

TEST_F(InboundTest, OneOfSeveralWaypointsIsOne) {
  const auto weighted = [this](uint32_t weight) {
    service("s.host", {"10.96.0.1"}, {{80, 8080}}, [&](Service& s) {
      s.weighted_waypoints = {{gateway("/10.0.0.9:15008"), 1},
                              {gateway("/10.0.0.2:15008"), weight}};
    });
    return connect("10.96.0.1:80");
  };
  EXPECT_EQ(weighted(1), "10.0.0.2:80");
  EXPECT_EQ(weighted(0), "400 ip mismatch: 10.0.0.2 != 10.96.0.1"); // Nobody is sent here.
}

TEST_F(InboundTest, AnotherPodsWaypointIsNotThisOne) { // T-35
  workload("a", {"10.0.0.3"}, behindWaypoint("/10.0.0.9:15008"));
  EXPECT_EQ(connect("10.0.0.3:80"), "400 ip mismatch: 10.0.0.2 != 10.0.0.3");
  workload("wp", {"10.0.0.9"});
  EXPECT_EQ(connect("10.0.0.3:80"), "400 ip mismatch: 10.0.0.2 != 10.0.0.3");
}

TEST_F(InboundTest, TheServiceIsTheOneNamedOrGuessedByPort) {
  service("s.host", {}, {{80, 8080}});
  service("t.host", {}, {{80, 0}});
  pod([this](Workload& w) {
    behind(w, "gone.host");
    behind(w, "s.host");
    behind(w, "t.host", {{80, 9090}});
  });
  EXPECT_EQ((connect("10.0.0.2:8080"), service_), "s.host");
  EXPECT_EQ((connect("10.0.0.2:9090"), service_), "t.host");
  EXPECT_EQ((connect("10.0.0.2:1"), service_), "-");
  forwarded_host_ = "t.host";
  EXPECT_EQ((connect("10.0.0.2:8080"), service_), "t.host");
}

TEST_F(InboundTest, PlainTextGoesWhereItWanted) {
  const TableReader reader(table_);
  const Workload& local = *reader.workload("pod");
  const auto accepted = acceptPlaintext(reader, local, at("10.0.0.2:80"), IllegalPorts(false));
  EXPECT_EQ(std::get<InboundUpstream>(accepted).connect_to.toString(), "10.0.0.2:80");
  const auto refused = acceptPlaintext(reader, local, at("10.0.0.2:15006"), IllegalPorts(false));
  EXPECT_EQ(std::get<Refusal>(refused).error, kIllegalCallError);
}

TEST_F(InboundTest, ASourceBehindAGatewayIsNotLookedUp) {
  const Text net = text("net");
  workload("a", {"10.0.0.3"}, [&](Workload& w) { w.network = net; });
  const TableReader reader(table_);
  EXPECT_EQ(sourceWorkload(reader, net, ip("10.0.0.3"), std::nullopt)->name, "a");
  EXPECT_EQ(sourceWorkload(reader, net, ip("10.0.0.3"), "NET")->name, "a");
  EXPECT_FALSE(sourceWorkload(reader, net, ip("10.0.0.3"), "far"));
  EXPECT_FALSE(sourceWorkload(reader, net, ip("10.0.0.4"), std::nullopt));
}

TEST(AuthorityTest, IsHostAndPort) {
  const auto v6 = Authority::parse("[fd00::2]:80");
  ASSERT_TRUE(v6.has_value());
  EXPECT_EQ(v6->ip, *Ip::parse("fd00::2"));
  EXPECT_EQ(v6->port, 80);
  EXPECT_FALSE(Authority::parse("s.host:80")->ip.has_value());
  EXPECT_FALSE(Authority::parse("fd00::2:80").has_value());
  EXPECT_FALSE(Authority::parse("s.host:+80").has_value());
}

TEST(AuthorityTest, SomeAreNoneToHttp2) {
  for (const char* text :
       {"", "http://10.0.0.2:80/", "10.0.0.2:80:1", "[::1", "10.0.0.2:8\n0", "a b:80", "u@h:1"}) {
    EXPECT_TRUE(isMalformedAuthority(text)) << text;
  }
  for (const char* text : {"10.0.0.2:80", "[::1]:80", ":", "a:b", ":80", "s.host:80", "10.0.0.2"}) {
    EXPECT_FALSE(isMalformedAuthority(text)) << text;
  }
}

} // namespace
} // namespace culvert::mesh
