// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/tcp_upstream.h"

#include <algorithm>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "source/upstream/upstream_fixture.h"
#include "source/upstream/worker_clusters.h"

namespace culvert::upstream {
namespace {

using std::chrono::milliseconds;

// The figures that Envoy 1.40 shows for these ends of a session (envoy-compat D.5).
class TcpUpstreamTest : public UpstreamTest {
protected:
  std::string moved() {
    for (const stats::Counter* counter : store.counters()) {
      const absl::string_view name = counter->name();
      if (counter->value() > 0 && absl::StartsWith(name, "cluster.c.upstream_") &&
          !absl::StrContains(name, "_bytes_") && !absl::StrContains(name, "flow_control")) {
        lines_.push_back(absl::StrCat(name.substr(19), "=", counter->value()));
      }
    }
    std::sort(lines_.begin(), lines_.end());
    return absl::StrJoin(std::exchange(lines_, {}), " ");
  }
  std::vector<std::string> lines_;
  TestHost host;
};

TEST_F(TcpUpstreamTest, CountsAnOpenConnection) {
  start(staticCluster(host));
  const auto session = connected();
  EXPECT_EQ(moved(), "cx_total=1 rq_pending_total=1 rq_total=1");
  EXPECT_EQ(gauge("upstream_cx_active"), 1u);
  EXPECT_EQ(gauge("upstream_rq_active"), 1u);
  EXPECT_EQ(gauge("upstream_rq_pending_active"), 0u);
  const HostState& state = manager.find("c")->hosts()[0]->state();
  EXPECT_EQ(state.cx_active, 1u);
  EXPECT_EQ(state.rq_active, 1u);
  EXPECT_EQ(state.rq_total, 1u);
}

TEST_F(TcpUpstreamTest, TheHostsEndAfterOursIsRemote) {
  start(staticCluster(host));
  const auto session = connected();
  net::Fd peer = host.accept();
  session->send("hi", true);
  char hi[2];
  ASSERT_EQ(::recv(peer.get(), hi, 2, MSG_WAITALL), 2); // Else closing it would reset.
  ASSERT_EQ(::send(peer.get(), "A\n", 2, 0), 2);
  peer = net::Fd();
  ASSERT_TRUE(turnUntil([&] { return session->closed.has_value(); }));
  EXPECT_EQ(session->received, "A\n");
  EXPECT_EQ(session->closed->code, net::CloseCode::kUpstreamClosed);
  EXPECT_EQ(moved(), "cx_destroy=1 cx_destroy_remote=1 cx_destroy_remote_with_active_rq=1 "
                     "cx_destroy_with_active_rq=1 cx_total=1 rq_pending_total=1 rq_total=1");
  EXPECT_EQ(counter("upstream_cx_rx_bytes_total"), 2u);
  EXPECT_EQ(counter("upstream_cx_tx_bytes_total"), 2u);
}

TEST_F(TcpUpstreamTest, OurEndAfterTheHostsIsLocal) {
  start(staticCluster(host));
  const auto session = connected();
  const net::Fd peer = host.accept();
  ::shutdown(peer.get(), SHUT_WR);
  ASSERT_TRUE(turnUntil([&] { return session->ended; }));
  session->send("", true);
  EXPECT_TRUE(session->closed.has_value());
  EXPECT_EQ(moved(), "cx_destroy=1 cx_destroy_local=1 cx_destroy_local_with_active_rq=1 "
                     "cx_destroy_with_active_rq=1 cx_total=1 rq_pending_total=1 rq_total=1");
  EXPECT_EQ(gauge("upstream_cx_active"), 0u);
  EXPECT_EQ(gauge("upstream_rq_active"), 0u);
}

TEST_F(TcpUpstreamTest, AResetIsRemote) {
  start(staticCluster(host));
  const auto session = connected();
  {
    const net::Fd peer = host.accept();
    const linger now = {1, 0};
    ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  }
  ASSERT_TRUE(turnUntil([&] { return session->closed.has_value(); }));
  EXPECT_EQ(session->closed->code, net::CloseCode::kUpstreamReset);
  EXPECT_EQ(counter("upstream_cx_destroy_remote_with_active_rq"), 1u);
}

TEST_F(TcpUpstreamTest, DroppingItIsLocal) {
  start(staticCluster(host));
  connected().reset();
  EXPECT_EQ(counter("upstream_cx_destroy_local_with_active_rq"), 1u);
  EXPECT_EQ(gauge("upstream_cx_active"), 0u);
}

TEST_F(TcpUpstreamTest, ARefusedConnectIsTheHostsFault) {
  start(clusterOf({TestHost().address()}));
  TestSession session(cluster());
  ASSERT_TRUE(turnUntil([&] { return session.failed.has_value(); }));
  EXPECT_EQ(session.failed, ConnectFailure::kRefused);
  EXPECT_EQ(session.reason, "delayed connect error: Connection refused");
  EXPECT_EQ(moved(), "cx_connect_fail=1 cx_destroy=1 cx_destroy_remote=1 cx_total=1 "
                     "rq_pending_failure_eject=1 rq_pending_total=1");
  EXPECT_EQ(manager.find("c")->hosts()[0]->state().cx_connect_fail, 1u);
}

TEST_F(TcpUpstreamTest, AConnectThatFailsAtOnceIsToldInALaterTurn) {
  start(clusterOf({*net::Address::pipe("/nonexistent/socket")}));
  TestSession session(cluster());
  EXPECT_FALSE(session.failed.has_value());
  loop.runOnce(false);
  EXPECT_EQ(session.failed, ConnectFailure::kRefused);
  EXPECT_EQ(session.reason, "immediate connect error: No such file or directory|remote address:"
                            "/nonexistent/socket");
  EXPECT_EQ(counter("upstream_cx_destroy_remote"), 1u);
}

TEST_F(TcpUpstreamTest, ASourceThatCannotBeBoundIsOurFault) {
  ClusterConfig config = staticCluster(host);
  config.connect.source = *net::Address::parseIp("203.0.113.9", 0);
  start(std::move(config));
  TestSession session(cluster());
  loop.runOnce(false);
  EXPECT_EQ(session.failed, ConnectFailure::kLocal);
  EXPECT_EQ(session.reason, "failed to bind to 203.0.113.9:0: Cannot assign requested address");
  EXPECT_EQ(counter("bind_errors"), 1u);
  EXPECT_EQ(counter("upstream_cx_destroy_local"), 1u);
}

TEST_F(TcpUpstreamTest, ATimeoutEndsTheAttempt) {
  ClusterConfig config = staticCluster(host);
  config.connect_timeout = milliseconds(500);
  start(std::move(config));
  TestSession session(cluster());
  EXPECT_EQ(gauge("upstream_rq_pending_active"), 1u);
  clock.advance(milliseconds(501)); // The connection is up, but the loop has not looked yet.
  session.upstream->connection().io().setWrite(false);
  ASSERT_TRUE(turnUntil([&] { return session.failed.has_value(); }));
  EXPECT_EQ(session.failed, ConnectFailure::kTimeout);
  EXPECT_EQ(moved(), "cx_connect_fail=1 cx_connect_timeout=1 cx_destroy=1 cx_destroy_local=1 "
                     "cx_total=1 rq_pending_failure_eject=1 rq_pending_total=1");
  EXPECT_EQ(gauge("upstream_rq_pending_active"), 0u);
}

TEST_F(TcpUpstreamTest, DroppingItWhileItConnectsCancelsTheRequest) {
  start(staticCluster(host));
  {
    const TestSession session(cluster());
  }
  EXPECT_EQ(moved(), "cx_connect_fail=1 cx_destroy=1 cx_destroy_local=1 cx_total=1 "
                     "rq_cancelled=1 rq_pending_total=1");
  EXPECT_EQ(gauge("upstream_rq_pending_active"), 0u);
}

TEST_F(TcpUpstreamTest, AClusterWithoutHostsPanics) {
  start(clusterOf({}));
  const TestSession session(cluster());
  EXPECT_EQ(session.failed, ConnectFailure::kNoHealthyHost);
  EXPECT_EQ(moved(), "cx_none_healthy=1");
  EXPECT_EQ(counter("lb_healthy_panic"), 1u);
}

TEST_F(TcpUpstreamTest, TheConnectionBreakerOpensAndCloses) {
  ClusterConfig config = staticCluster(host);
  config.breakers.normal.max_connections = 1;
  config.breakers.normal.track_remaining = true;
  start(std::move(config));
  EXPECT_EQ(gauge("circuit_breakers.default.remaining_cx"), 1u);
  auto first = connected();
  EXPECT_EQ(gauge("circuit_breakers.default.cx_open"), 1u);
  EXPECT_EQ(gauge("circuit_breakers.default.remaining_cx"), 0u);
  EXPECT_EQ(gauge("circuit_breakers.default.remaining_rq"), 1023u);
  EXPECT_EQ(TestSession(cluster()).failed, ConnectFailure::kOverflow);
  EXPECT_EQ(counter("upstream_cx_overflow"), 1u);
  EXPECT_EQ(counter("upstream_cx_total"), 1u);
  first.reset();
  EXPECT_EQ(gauge("circuit_breakers.default.cx_open"), 0u);
  EXPECT_EQ(gauge("circuit_breakers.default.remaining_cx"), 1u);
  EXPECT_TRUE(connected()->connected);
}

TEST_F(TcpUpstreamTest, UnlimitedPoolsShowAsTheLargestNumber) {
  ClusterConfig config = staticCluster(host);
  config.breakers.normal.track_remaining = true;
  start(std::move(config));
  EXPECT_EQ(gauge("circuit_breakers.default.remaining_cx_pools"), 18446744073709551615u);
}

TEST_F(TcpUpstreamTest, TheRequestBreakerOnlyShows) {
  ClusterConfig config = staticCluster(host);
  config.breakers.normal.max_requests = 1;
  config.breakers.normal.track_remaining = true;
  start(std::move(config));
  auto first = connected();
  auto second = connected();
  EXPECT_EQ(gauge("circuit_breakers.default.rq_open"), 1u);
  EXPECT_EQ(gauge("circuit_breakers.default.remaining_rq"), 0u);
  first.reset();
  second.reset();
  EXPECT_EQ(gauge("circuit_breakers.default.rq_open"), 0u);
  EXPECT_EQ(gauge("circuit_breakers.default.remaining_rq"), 1u);
}

TEST_F(TcpUpstreamTest, NoMoreThanMaxPendingConnectAtOnce) {
  ClusterConfig config = staticCluster(host);
  config.breakers.normal.max_pending_requests = 1;
  start(std::move(config));
  TestSession first(cluster());
  EXPECT_EQ(TestSession(cluster()).failed, ConnectFailure::kLocal);
  EXPECT_EQ(counter("upstream_rq_pending_overflow"), 1u);
  EXPECT_EQ(counter("upstream_cx_total"), 1u);
  ASSERT_TRUE(turnUntil([&] { return first.connected; }));
  EXPECT_TRUE(connected()->connected);
}

TEST_F(TcpUpstreamTest, OnlyARealPauseIsFlowControl) {
  start(staticCluster(host));
  const auto session = connected();
  EXPECT_EQ(counter("upstream_flow_control_resumed_reading_total"), 0u);
  session->upstream->pauseReading();
  session->upstream->resumeReading();
  EXPECT_EQ(counter("upstream_flow_control_paused_reading_total"), 1u);
  EXPECT_EQ(counter("upstream_flow_control_resumed_reading_total"), 1u);
}

// What is still unsent when the session ends.
class FlushTest : public TcpUpstreamTest {
protected:
  static constexpr size_t kManyBytes = 8 * 1024 * 1024;

  void abandonWithUnsentBytes() {
    start(staticCluster(host));
    auto session = connected();
    peer = host.accept();
    session->send(std::string(kManyBytes, 'x'));
    ASSERT_GT(session->upstream->connection().unsentBytes(), 0u);
    Upstream& upstream = *session->upstream;
    went_on =
        upstream.flushAndForget(std::move(session->upstream), std::chrono::seconds(10), until_done);
  }
  net::Fd peer;
  bool went_on = false;
  std::shared_ptr<int> until_done = std::make_shared<int>(0);
};

TEST_F(FlushTest, ArrivesThoughTheSessionIsGone) {
  abandonWithUnsentBytes();
  EXPECT_TRUE(went_on);
  EXPECT_EQ(until_done.use_count(), 2);
  size_t received = 0;
  std::thread reader([&] {
    std::vector<char> into(1 << 20);
    for (ssize_t got; (got = ::recv(peer.get(), into.data(), into.size(), 0)) > 0;) {
      received += static_cast<size_t>(got);
    }
  });
  EXPECT_TRUE(turnUntil([&] { return until_done.use_count() == 1; }));
  reader.join();
  EXPECT_EQ(received, kManyBytes);
  EXPECT_EQ(gauge("upstream_cx_active"), 0u);
}

TEST_F(FlushTest, EndsWhenThePeerTakesNothingForTheIdleTime) {
  abandonWithUnsentBytes();
  clock.advance(std::chrono::seconds(9));
  loop.runOnce(false);
  EXPECT_EQ(until_done.use_count(), 2);
  clock.advance(std::chrono::seconds(2));
  EXPECT_TRUE(turnUntil([&] { return until_done.use_count() == 1; }));
  EXPECT_EQ(gauge("upstream_cx_active"), 0u);
}

TEST_F(FlushTest, IsResetWhereTooManyDoAlready) {
  start(staticCluster(host));
  static_cast<WorkerCluster&>(*worker->find("c")).owner().setFlushingMax(0);
  auto session = connected();
  peer = host.accept();
  session->send(std::string(kManyBytes, 'x'));
  Upstream& upstream = *session->upstream;
  EXPECT_FALSE(
      upstream.flushAndForget(std::move(session->upstream), std::chrono::seconds(10), until_done));
  loop.runOnce(false);
  std::vector<char> into(1 << 20);
  ssize_t got;
  while ((got = ::recv(peer.get(), into.data(), into.size(), 0)) > 0) {
  }
  EXPECT_EQ(got, -1) << "a host that is not reset takes what came for all";
  EXPECT_EQ(gauge("upstream_cx_active"), 0u);
}

TEST_F(FlushTest, EndsWithTheWorker) {
  abandonWithUnsentBytes();
  worker.reset();
  EXPECT_EQ(until_done.use_count(), 1);
  EXPECT_EQ(gauge("upstream_cx_active"), 0u);
}

} // namespace
} // namespace culvert::upstream
