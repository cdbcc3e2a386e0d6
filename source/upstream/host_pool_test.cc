// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/host_pool.h"

#include <sys/socket.h>

#include "source/upstream/upstream_fixture.h"

namespace culvert::upstream {
namespace {

class HostPoolTest : public UpstreamTest {
protected:
  const HostState& state() { return manager.find("c")->hosts()[0]->state(); }
  std::unique_ptr<TestSession> waiting() {
    auto session = std::make_unique<TestSession>(cluster());
    EXPECT_TRUE(session->upstream != nullptr && session->upstream->waiting());
    return session;
  }
  // Connections that are open, as far as the hosts know.
  std::vector<net::Fd> accepted(const TestHost& of, size_t count) {
    std::vector<net::Fd> all;
    EXPECT_TRUE(turnUntil([&] {
      if (net::Fd fd = of.accept(); fd.get() >= 0) {
        all.push_back(std::move(fd));
      }
      return all.size() == count;
    }));
    return all;
  }

  TestHost host;
};

// One connection to a host at a time.
class HostLimitTest : public HostPoolTest {
protected:
  ClusterConfig limited(const net::Address& address) {
    ClusterConfig config = clusterOf({address});
    config.breakers.per_host_max_connections = 1;
    return config;
  }
};

TEST_F(HostLimitTest, MoreConnectionsWaitForEarlierOnesToEnd) {
  start(limited(host.address()));
  auto first = connected();
  const auto second = waiting();
  const auto third = waiting();
  EXPECT_EQ(counter("upstream_cx_overflow"), 2u);
  EXPECT_EQ(counter("upstream_cx_total"), 1u);
  EXPECT_EQ(gauge("upstream_rq_pending_active"), 2u);
  EXPECT_EQ(state().cx_active, 1u);
  first.reset();
  ASSERT_TRUE(turnUntil([&] { return second->connected; })); // First come, first served.
  EXPECT_TRUE(third->upstream->waiting());
  EXPECT_EQ(counter("upstream_cx_total"), 2u);
  EXPECT_EQ(counter("upstream_cx_overflow"), 4u); // The third was considered twice more.
  EXPECT_EQ(gauge("upstream_rq_pending_active"), 1u);
}

TEST_F(HostLimitTest, WhoWaitsHasNoTimeLimitYet) {
  start(limited(host.address()));
  auto first = connected();
  const auto second = waiting();
  clock.advance(std::chrono::hours(1));
  loop.runOnce(false);
  EXPECT_EQ(second->failed, std::nullopt);
  first.reset();
  ASSERT_TRUE(turnUntil([&] { return second->connected; }));
}

TEST_F(HostLimitTest, WhoLeavesWhileWaitingIsNoConnection) {
  start(limited(host.address()));
  auto first = connected();
  waiting().reset();
  EXPECT_EQ(counter("upstream_rq_cancelled"), 1u);
  EXPECT_EQ(gauge("upstream_rq_pending_active"), 0u);
  EXPECT_EQ(counter("upstream_cx_destroy"), 0u);
  first.reset();
  EXPECT_EQ(counter("upstream_cx_total"), 1u);
  EXPECT_TRUE(connected()->connected);
}

TEST_F(HostLimitTest, WhoLeavesBeforeItOpensTakesTheConnectionAlong) {
  start(limited(host.address()));
  waiting().reset();
  EXPECT_EQ(counter("upstream_cx_total"), 1u);
  EXPECT_EQ(counter("upstream_cx_destroy_local"), 1u);
  EXPECT_EQ(counter("upstream_cx_connect_fail"), 1u);
  EXPECT_EQ(gauge("upstream_cx_active"), 0u);
}

TEST_F(HostLimitTest, WaitingIsWaitingForTheBreakerToo) {
  ClusterConfig config = limited(host.address());
  config.breakers.normal.max_pending_requests = 1;
  start(std::move(config));
  const auto first = connected();
  const auto second = waiting();
  EXPECT_EQ(TestSession(cluster()).failed, ConnectFailure::kLocal);
  EXPECT_EQ(counter("upstream_rq_pending_overflow"), 1u);
}

TEST_F(HostLimitTest, AllWhoWaitFailWithTheAttempt) {
  start(limited(TestHost().address()));
  TestSession first(cluster());
  const auto second = waiting();
  ASSERT_TRUE(turnUntil([&] { return second->failed.has_value(); }));
  EXPECT_EQ(first.failed, ConnectFailure::kRefused);
  EXPECT_EQ(second->failed, ConnectFailure::kRefused);
  EXPECT_EQ(second->reason, "delayed connect error: Connection refused");
  EXPECT_EQ(counter("upstream_rq_pending_failure_eject"), 2u);
  EXPECT_EQ(counter("upstream_cx_connect_fail"), 1u);
  EXPECT_EQ(counter("upstream_cx_total"), 1u);
}

TEST_F(HostLimitTest, AWorkerMayAlwaysHaveOne) {
  start(limited(host.address()));
  const auto other_worker = manager.makeThread(loop);
  const auto first = connected();
  TestSession others(*other_worker->find("c"));
  ASSERT_TRUE(turnUntil([&] { return others.connected; }));
  EXPECT_EQ(state().cx_active, 2u);
  EXPECT_EQ(counter("upstream_cx_overflow"), 1u);
}

TEST_F(HostLimitTest, HostsAreLimitedEachForItself) {
  const TestHost other;
  ClusterConfig config = clusterOf({host.address(), other.address()});
  config.breakers.per_host_max_connections = 1;
  start(std::move(config));
  const auto first = connected();
  const auto second = connected();
  EXPECT_FALSE(first->upstream->host() == second->upstream->host());
}

TEST_F(HostLimitTest, AHostOfSeveralAddressesIsReachedAfterWhoAskedHasGone) {
  ClusterConfig config = clusterOf({host.address()});
  config.endpoints[0].endpoints[0].more_addresses = {TestHost().address()};
  config.breakers.per_host_max_connections = 5;
  start(std::move(config));
  const auto first = connected();
  EXPECT_EQ(first->upstream->connection().io().reached()->toString(), host.address().toString());
}

class PreconnectTest : public HostPoolTest {
protected:
  ClusterConfig twice(const std::vector<net::Address>& hosts) {
    ClusterConfig config = clusterOf(hosts);
    config.preconnect.per_host_ratio = 2;
    return config;
  }
  bool openTotal(uint64_t connections) {
    return turnUntil([&] { return gauge("upstream_cx_active") == connections; });
  }
};

TEST_F(PreconnectTest, EachConnectionBringsAnother) {
  start(twice({host.address()}));
  auto first = connected();
  EXPECT_EQ(counter("upstream_cx_total"), 2u);
  EXPECT_EQ(counter("upstream_rq_total"), 1u);
  accepted(host, 2); // They end here, the spare one too.
  ASSERT_TRUE(turnUntil([&] { return first->ended && gauge("upstream_cx_active") == 1; }));
  EXPECT_EQ(counter("upstream_cx_destroy_remote"), 1u);
  EXPECT_EQ(counter("upstream_cx_destroy_with_active_rq"), 0u);
}

TEST_F(PreconnectTest, WhoComesLaterTakesTheSpareOne) {
  start(twice({host.address()}));
  const auto first = connected();
  const std::vector<net::Fd> ends = accepted(host, 2);
  ASSERT_TRUE(openTotal(2));
  TestSession second(cluster());
  ASSERT_NE(second.upstream, nullptr);
  EXPECT_FALSE(second.upstream->waiting());
  EXPECT_EQ(counter("upstream_rq_pending_total"), 1u); // It did not have to wait.
  EXPECT_EQ(counter("upstream_cx_total"), 4u);
  ASSERT_TRUE(turnUntil([&] { return second.connected; }));
  EXPECT_EQ(counter("upstream_rq_total"), 2u);
}

TEST_F(PreconnectTest, WhatTheHostSaysFirstIsForWhoTakesIt) {
  start(twice({host.address()}));
  auto first = connected();
  const std::vector<net::Fd> ends = accepted(host, 2);
  for (const net::Fd& fd : ends) {
    EXPECT_EQ(::send(fd.get(), "hello", 5, 0), 5);
  }
  ASSERT_TRUE(turnUntil([&] { return first->received == "hello"; }));
  TestSession second(cluster());
  ASSERT_TRUE(turnUntil([&] { return second.received == "hello"; }));
}

TEST_F(PreconnectTest, ASpareConnectionIsNotKeptForEver) {
  start(twice({host.address()}));
  const auto first = connected();
  const std::vector<net::Fd> ends = accepted(host, 2);
  ASSERT_TRUE(openTotal(2));
  ASSERT_TRUE(turnUntil([&] {
    clock.advance(kSpareIdleTimeout); // The spare one may have opened just now.
    return counter("upstream_cx_idle_timeout") == 1u;
  }));
  EXPECT_EQ(gauge("upstream_cx_active"), 1u);
  EXPECT_EQ(counter("upstream_cx_destroy_local"), 1u);
  EXPECT_TRUE(connected()->connected);
}

TEST_F(PreconnectTest, FailuresAreEachCountedAndToldOnce) {
  start(twice({TestHost().address()}));
  TestSession session(cluster());
  ASSERT_TRUE(turnUntil([&] { return gauge("upstream_cx_active") == 0; }));
  EXPECT_EQ(session.failed, ConnectFailure::kRefused);
  EXPECT_EQ(counter("upstream_cx_connect_fail"), 2u);
  EXPECT_EQ(counter("upstream_cx_destroy_remote"), 2u);
  EXPECT_EQ(counter("upstream_rq_pending_failure_eject"), 1u);
}

TEST_F(PreconnectTest, TheBreakerIsForSpareConnectionsToo) {
  ClusterConfig config = twice({host.address()});
  config.breakers.normal.max_connections = 3;
  start(std::move(config));
  const auto first = connected();
  const auto second = connected();
  EXPECT_EQ(counter("upstream_cx_total"), 3u);
  EXPECT_EQ(counter("upstream_cx_overflow"), 1u);
  EXPECT_EQ(TestSession(cluster()).failed, ConnectFailure::kOverflow);
  EXPECT_EQ(counter("upstream_cx_overflow"), 2u);
}

TEST_F(PreconnectTest, NoneIsMadeToAHostThatIsNotWell) {
  ClusterConfig config = twice({host.address()});
  config.endpoints[0].endpoints[0].health = EndpointHealth::kUnhealthy; // Used in panic.
  start(std::move(config));
  const auto first = connected();
  EXPECT_EQ(counter("upstream_cx_total"), 1u);
}

TEST_F(PreconnectTest, SpareConnectionsGoWithTheirCluster) {
  manager.initialize([] {});
  worker = manager.makeThread(loop);
  ASSERT_TRUE(manager.addOrUpdate(twice({host.address()})).ok());
  ASSERT_TRUE(turnUntil([&] { return worker->find("c") != nullptr; }));
  const auto first = connected();
  ASSERT_TRUE(openTotal(2));
  const std::vector<net::Fd> ends = accepted(host, 2);
  ASSERT_TRUE(manager.remove("c"));
  ASSERT_TRUE(openTotal(1));
  EXPECT_FALSE(first->closed.has_value());
}

TEST_F(PreconnectTest, HostsThatComeNextAreConnectedBefore) {
  const TestHost other;
  ClusterConfig config = clusterOf({host.address(), other.address()});
  config.preconnect.cluster_ratio = 2;
  start(std::move(config));
  const auto first = connected();
  EXPECT_EQ(counter("upstream_cx_total"), 2u); // One to each.
  accepted(host, 1);
  accepted(other, 1);
}

TEST_F(PreconnectTest, WhoWasForeseenIsNextInTurn) {
  const TestHost other;
  ClusterConfig config = clusterOf({host.address(), other.address()});
  config.preconnect.cluster_ratio = 2;
  start(std::move(config));
  std::vector<std::unique_ptr<TestSession>> sessions;
  for (int i = 0; i < 4; i++) {
    sessions.push_back(connected());
  }
  for (size_t i = 1; i < sessions.size(); i++) {
    EXPECT_NE(sessions[i]->upstream->host(), sessions[i - 1]->upstream->host());
  }
  EXPECT_EQ(counter("upstream_cx_total"), 5u);
}

TEST_F(PreconnectTest, OneHostIsForeseenOnce) {
  ClusterConfig config = staticCluster(host);
  config.preconnect.cluster_ratio = 3;
  start(std::move(config));
  const auto first = connected();
  EXPECT_EQ(counter("upstream_cx_total"), 1u);
}

} // namespace
} // namespace culvert::upstream
