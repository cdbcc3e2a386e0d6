// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/node/node.h"

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "source/event/simulated_clock.h"
#include "source/mesh/node/connection_record.h"
#include "source/mesh/node/counted_connection.h"
#include "source/mesh/node/node_for_test.h"
#include "source/mesh/node/outcome.h"

namespace culvert::mesh {
namespace {

using Direction = ConnectionRecord::Direction;

class NodeTest : public testing::Test {
protected:
  Outcome outcome(uint32_t flags, absl::string_view reason) {
    info_.response_flags = flags;
    info_.mutableUpstream().failure_reason = std::string(reason);
    return Outcome::of(info_, record_);
  }
  bool counts(absl::string_view line) { return absl::StrContains(traffic_.render(), line); }

  event::SimulatedClock clock_;
  event::Loop loop_{"worker", clock_};
  net::ConnectionInfo info_;
  ConnectionRecord record_{Direction::kOutbound};
  Traffic traffic_;
};

TEST_F(NodeTest, ActsAsItsWorkloadOnceThatIsKnown) {
  NodeForTest mesh("web");
  EXPECT_EQ(mesh.node.localWorkload(), nullptr);
  EXPECT_EQ(mesh.node.localIdentity(), "");
  mesh.add("cart", "10.0.0.2");
  EXPECT_EQ(mesh.node.localIdentity(), "");
  mesh.add("web", "10.0.0.1");
  EXPECT_EQ(mesh.node.localIdentity(), "spiffe://cluster.local/ns/shop/sa/web");
  EXPECT_NE(mesh.node.certificates().find("spiffe://cluster.local/ns/shop/sa/web"), nullptr);
}

TEST_F(NodeTest, ARefusedTunnelIsToldByItsStatus) {
  const Outcome outcome = this->outcome(net::kUpstreamConnectionFailure, "tunnel_response:401");
  EXPECT_EQ(outcome.error, "http status: 401 Unauthorized");
  EXPECT_EQ(outcome.flag, "CONNECT");
}

TEST_F(NodeTest, ATunnelThatTakesTooLongMayBeBlocked) {
  record_.tunnelled = true;
  EXPECT_EQ(
      outcome(net::kUpstreamConnectionFailure, "delayed connect error: Connection timed out").flag,
      "NETWORK_POLICY");
  info_.mutableUpstream().timed_out = true;
  const Outcome timed_out = outcome(net::kUpstreamConnectionFailure, "");
  EXPECT_EQ(timed_out.error, "connection timed out, maybe a NetworkPolicy is blocking HBONE port "
                             "15008: deadline has elapsed");
  EXPECT_EQ(timed_out.flag, "NETWORK_POLICY");
  record_.tunnelled = false;
  EXPECT_EQ(outcome(net::kUpstreamConnectionFailure, "").error, "io error: deadline has elapsed");
}

TEST_F(NodeTest, ATunnelThatIsLostBeforeItAnswersSaysWhy) {
  record_.tunnelled = true;
  info_.mutableUpstream().tunnel_failure = std::make_unique<const std::string>("revoked");
  const Outcome lost = outcome(net::kUpstreamConnectionFailure, "");
  EXPECT_EQ(lost.error, "h2 failed: revoked");
  EXPECT_EQ(lost.flag, "CONNECT");
}

TEST_F(NodeTest, WithoutAHostTheCloseSaysWhy) {
  info_.close_reason = net::CloseReason::of(net::CloseCode::kOverflow);
  EXPECT_EQ(outcome(0, "").error, "io error: a circuit breaker of the cluster is open");
}

TEST_F(NodeTest, ErrorsOfSocketsHaveTheirNumber) {
  for (const absl::string_view reason :
       {"delayed connect error: Connection refused",
        "immediate connect error: Connection refused|remote address:10.0.0.2:80"}) {
    EXPECT_EQ(outcome(net::kUpstreamConnectionFailure, reason).error,
              "io error: Connection refused (os error 111)");
  }
  EXPECT_EQ(outcome(net::kUpstreamConnectionFailure, "TLS_error:|x").error,
            "io error: TLS_error:|x");
}

TEST_F(NodeTest, WithoutACertificateTheIdentityIsToBlame) {
  EXPECT_EQ(outcome(net::kUpstreamConnectionFailure, "identity error: none").flag,
            "IDENTITY_ERROR");
}

TEST_F(NodeTest, AResetIsASuccess) {
  info_.close_reason = net::CloseReason::of(net::CloseCode::kPeerReset);
  EXPECT_EQ(Outcome::of(info_, record_).error, "");
  EXPECT_EQ(Outcome::of(info_, record_).flag, "-");
}

TEST_F(NodeTest, ALostTunnelIsNoSuccess) {
  ConnectionRecord inbound(ConnectionRecord::Direction::kInbound);
  record_.tunnelled = inbound.tunnelled = true;
  info_.close_reason = net::CloseReason::of(net::CloseCode::kUpstreamClosed, net::kTunnelLost);
  EXPECT_EQ(Outcome::of(info_, record_).error,
            "send: destination disconnected before all data was written");
  EXPECT_EQ(Outcome::of(info_, inbound).flag, "-");
  info_.transport_failure_reason = std::string(net::kTunnelLost);
  EXPECT_EQ(Outcome::of(info_, inbound).flag, "CONNECT");
}

// A peer that was revoked while it was connected.
struct RevokedTls final : net::TlsInfo {
  net::TlsFacts facts() const override { return {}; }
  const net::CertificateFacts* peer() const override { return nullptr; }
  std::vector<net::CertificateFacts> peerChain() const override { return {}; }
  const net::CertificateFacts* peerIssuer() const override { return nullptr; }
  const net::CertificateFacts* local() const override { return nullptr; }
  bool peerCertificateValidated() const override { return true; }
  bool peerRevoked() const override { return true; }
};

TEST_F(NodeTest, ARevokedPeerIsToBlameForTheReset) {
  info_.close_reason = net::CloseReason::of(net::CloseCode::kPeerReset);
  const auto tls = std::make_shared<RevokedTls>();
  info_.tls = tls.get();
  EXPECT_EQ(Outcome::of(info_, record_).flag, "CERT_REVOKED");
  info_.tls = nullptr;
  info_.mutableUpstream().tls = tls;
  EXPECT_EQ(outcome(net::kUpstreamConnectionFailure, "").error,
            "connection closed: peer certificate revoked by CRL");
  record_.error = "policy";
  record_.denied = true;
  EXPECT_EQ(Outcome::of(info_, record_).flag, "DENY");
}

TEST_F(NodeTest, WhoIsDeniedIsCountedAsThat) {
  record_.error = "policy";
  record_.denied = true;
  CountedConnection(traffic_, loop_, info_, record_).end();
  EXPECT_TRUE(counts("istio_tcp_connections_opened_total{reporter=\"source\",source_workload="
                     "\"unknown\""));
  EXPECT_TRUE(counts("response_flags=\"DENY\",connection_security_policy=\"unknown\"} 1\n"));
  EXPECT_TRUE(counts("# TYPE istio_tcp_connections_failed_total counter\n"
                     "istio_tcp_connections_failed_total{"));
}

TEST_F(NodeTest, SocketsAreThoseOfItsListeners) {
  EXPECT_FALSE(counts("istio_tcp_sockets_open{"));
  stats::Store store(1, {});
  stats::Gauge& captured = store.root().gauge("captured");
  stats::Gauge& socks5 = store.root().gauge("socks5");
  stats::Gauge& tunnels = store.root().gauge("tunnels");
  traffic_.countSockets(Direction::kOutbound, captured);
  traffic_.countSockets(Direction::kOutbound, socks5);
  traffic_.countSockets(Direction::kInbound, tunnels);
  captured.add(2);
  socks5.add(1);
  EXPECT_TRUE(counts("istio_tcp_sockets_open{reporter=\"source\"} 3\n"));
  EXPECT_TRUE(counts("istio_tcp_sockets_open{reporter=\"destination\"} 0\n"));
}

TEST_F(NodeTest, BytesAreThoseFromAndToWhoConnected) {
  info_.bytes_received = 5;
  info_.bytes_sent = 7;
  CountedConnection(traffic_, loop_, info_, record_).end();
  CountedConnection(traffic_, loop_, info_, record_).end();
  EXPECT_TRUE(counts("} 10\n"));
  EXPECT_TRUE(counts("} 14\n"));
  EXPECT_FALSE(counts("istio_tcp_connections_failed_total{"));
}

TEST_F(NodeTest, BytesCountWhileAConnectionIsOpen) {
  CountedConnection connection(traffic_, loop_, info_, record_);
  const auto pass = [&] {
    clock_.advance(CountedConnection::kReportInterval);
    loop_.runOnce(false);
  };
  info_.bytes_received = 5;
  info_.bytes_sent = 7;
  EXPECT_FALSE(counts("} 5\n"));
  pass();
  EXPECT_TRUE(counts("} 5\n"));
  EXPECT_TRUE(counts("} 7\n"));
  info_.bytes_sent = 17;
  pass();
  EXPECT_TRUE(counts("} 5\n"));
  EXPECT_TRUE(counts("} 17\n"));
  info_.bytes_sent = 18;
  connection.end();
  EXPECT_TRUE(counts("} 18\n"));
}

TEST_F(NodeTest, WhatHasEndedCountsNoMore) {
  CountedConnection(traffic_, loop_, info_, record_).end();
  info_.bytes_sent = 7;
  clock_.advance(CountedConnection::kReportInterval);
  loop_.runOnce(false);
  EXPECT_FALSE(counts("} 7\n"));
}

} // namespace
} // namespace culvert::mesh
