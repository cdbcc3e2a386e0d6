// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/cluster_manager.h"

#include <atomic>
#include <thread>

#include "source/upstream/upstream_fixture.h"

namespace culvert::upstream {
namespace {

class ClusterManagerTest : public UpstreamTest {
protected:
  uint64_t total(const std::string& name) {
    return store.findCounter("cluster_manager." + name)->value();
  }
  uint64_t now(const std::string& name) {
    return store.findGauge("cluster_manager." + name)->value();
  }
  // A source whose hosts the test sets.
  ClusterConfig waitingCluster() {
    ClusterConfig config = staticCluster(host);
    config.make_hosts = [this](HostSourceContext& context) {
      struct Waiting final : HostSource {
        void start() override {}
      };
      source = &context;
      return std::make_unique<Waiting>();
    };
    return config;
  }
  void answer(const std::vector<net::Address>& addresses) {
    const LocalityConfig& locality = source->config().endpoints[0];
    std::vector<HostSpec> specs;
    for (const net::Address& address : addresses) {
      specs.push_back({&locality, &locality.endpoints[0], address});
    }
    changed = source->setHosts(specs);
    source->setInitialized();
  }
  static net::Address address(uint16_t port) { return *net::Address::parseIp("127.0.0.1", port); }

  TestHost host;
  HostSourceContext* source = nullptr;
  bool changed = false;
};

TEST_F(ClusterManagerTest, FindsAClusterByName) {
  start(staticCluster(host));
  EXPECT_EQ(cluster().name(), "c");
  EXPECT_EQ(worker->find("d"), nullptr);
  EXPECT_EQ(now("active_clusters"), 1u);
  EXPECT_EQ(total("cluster_added"), 1u);
  EXPECT_EQ(gauge("membership_total"), 1u);
  EXPECT_EQ(gauge("membership_healthy"), 1u);
  EXPECT_EQ(counter("membership_change"), 1u);
}

TEST_F(ClusterManagerTest, RefusesASecondClusterOfTheName) {
  start(staticCluster(host));
  EXPECT_EQ(manager.add(staticCluster(host)).message(), "cluster manager: duplicate cluster 'c'");
}

TEST_F(ClusterManagerTest, RefusesAHostThatMustNotBeDialled) {
  ClusterManagerOptions options;
  options.check_host = [](auto&, const net::Address& host) {
    return absl::InvalidArgumentError(host.toString() + " is a listener");
  };
  ClusterManager careful(loop, store.root(), std::move(options));
  EXPECT_EQ(careful.add(clusterOf({address(1)})).message(),
            "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address: 127.0.0.1:1 is a "
            "listener");
}

TEST_F(ClusterManagerTest, UsesTheAlternativeNameInStatistics) {
  ClusterConfig config = staticCluster(host);
  config.alt_stat_name = "shop";
  start(std::move(config));
  EXPECT_NE(store.findCounter("cluster.shop.upstream_cx_total"), nullptr);
  EXPECT_EQ(cluster().name(), "c");
}

TEST_F(ClusterManagerTest, IsInitializedOnceEachClusterHasAnAnswer) {
  bool done = false;
  ASSERT_TRUE(manager.add(waitingCluster()).ok());
  manager.initialize([&] { done = true; });
  EXPECT_FALSE(done);
  answer({address(1)});
  EXPECT_TRUE(done);
  EXPECT_TRUE(manager.initialized());
}

TEST_F(ClusterManagerTest, DoesNotWaitForAClusterThatSaysSo) {
  bool done = false;
  ClusterConfig config = waitingCluster();
  config.wait_for_warm_on_init = false;
  ASSERT_TRUE(manager.add(std::move(config)).ok());
  manager.initialize([&] { done = true; });
  EXPECT_TRUE(done);
}

TEST_F(ClusterManagerTest, KeepsTheCountsOfHostsThatStay) {
  start(waitingCluster());
  answer({address(1), address(2)});
  const HostPtr stays = manager.find("c")->hosts()[1];
  answer({address(2), address(3)});
  EXPECT_EQ(manager.find("c")->hosts()[0], stays);
  EXPECT_EQ(counter("membership_change"), 2u);
  EXPECT_EQ(total("cluster_updated"), 1u);
}

TEST_F(ClusterManagerTest, PublishesNothingWhenNothingChanged) {
  start(waitingCluster());
  answer({address(1), address(2)});
  answer({address(2), address(1)});
  EXPECT_EQ(counter("membership_change"), 1u);
  EXPECT_FALSE(changed);
  EXPECT_EQ(total("cluster_updated"), 0u);
}

TEST_F(ClusterManagerTest, WorkersHearOfNewHosts) {
  start(waitingCluster());
  EXPECT_EQ(TestSession(cluster()).failed, ConnectFailure::kNoHealthyHost);
  answer({host.address()});
  loop.runOnce(false);
  EXPECT_TRUE(connected()->connected);
}

TEST_F(ClusterManagerTest, ANewClusterServesOnceItHasHosts) {
  start(clusterOf({}));
  ClusterConfig config = waitingCluster();
  config.name = "d";
  EXPECT_TRUE(*manager.addOrUpdate(std::move(config)));
  loop.runOnce(false);
  EXPECT_EQ(worker->find("d"), nullptr);
  EXPECT_EQ(now("warming_clusters"), 1u);
  answer({address(1)});
  loop.runOnce(false);
  EXPECT_NE(worker->find("d"), nullptr);
  EXPECT_EQ(now("warming_clusters"), 0u);
  EXPECT_EQ(now("active_clusters"), 2u);
  EXPECT_TRUE(manager.find("d")->addedViaApi());
}

TEST_F(ClusterManagerTest, ConnectionsOutliveTheirCluster) {
  start(staticCluster(host));
  ClusterConfig config = staticCluster(host);
  config.name = "d";
  ASSERT_TRUE(*manager.addOrUpdate(std::move(config)));
  loop.runOnce(false);
  TestSession session(*worker->find("d"));
  ASSERT_TRUE(turnUntil([&] { return session.connected; }));
  EXPECT_TRUE(manager.remove("d"));
  loop.runOnce(false);
  EXPECT_EQ(worker->find("d"), nullptr);
  session.send("still here");
  const net::Fd peer = host.accept();
  char text[10];
  EXPECT_EQ(::recv(peer.get(), text, sizeof(text), MSG_WAITALL), 10);
  session.upstream.reset();
  EXPECT_EQ(store.findCounter("cluster.d.upstream_cx_total"), nullptr);
  EXPECT_EQ(total("cluster_removed"), 1u);
}

TEST_F(ClusterManagerTest, TheBootstrapsClustersStay) {
  start(staticCluster(host));
  EXPECT_FALSE(manager.remove("c"));
  EXPECT_FALSE(*manager.addOrUpdate(clusterOf({address(7)})));
  EXPECT_EQ(manager.find("c")->hosts()[0]->address(), host.address());
}

TEST_F(ClusterManagerTest, AnUpdateTakesOverAndLeavesOldConnectionsAlone) {
  TestHost other;
  start(clusterOf({}));
  ClusterConfig config = staticCluster(host);
  config.name = "d";
  ASSERT_TRUE(*manager.addOrUpdate(config));
  loop.runOnce(false);
  TestSession old_session(*worker->find("d"));
  ASSERT_TRUE(turnUntil([&] { return old_session.connected; }));
  config.endpoints[0].endpoints[0].address = other.address();
  ASSERT_TRUE(*manager.addOrUpdate(config));
  loop.runOnce(false);
  const TestSession new_session(*worker->find("d"));
  EXPECT_EQ(new_session.upstream->host()->address, other.address());
  EXPECT_EQ(old_session.upstream->host()->address, host.address());
  EXPECT_EQ(total("cluster_modified"), 1u);
  EXPECT_EQ(store.findGauge("cluster.d.upstream_cx_active")->value(), 2u);
}

// For the thread sanitizer: main publishes while two workers choose and connect.
TEST(ClusterManagerThreads, WorkersChooseWhileMainPublishes) {
  const base::SystemClock clock;
  stats::Store store(3, {});
  event::Loop main("main", clock);
  event::Loop loops[] = {{"one", clock}, {"two", clock}};
  ClusterManager manager(main, store.root(), {});
  ClusterConfig config;
  config.name = "c";
  config.endpoints.resize(1);
  config.endpoints[0].endpoints.resize(1);
  HostSourceContext* source = nullptr;
  config.make_hosts = [&](HostSourceContext& context) {
    struct Waiting final : HostSource {
      void start() override {}
    };
    source = &context;
    return std::make_unique<Waiting>();
  };
  ASSERT_TRUE(manager.add(std::move(config)).ok());
  manager.initialize([] {});
  std::vector<std::unique_ptr<ThreadClusters>> views;
  views.push_back(manager.makeThread(loops[0]));
  views.push_back(manager.makeThread(loops[1]));
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      base::thread_slot = i + 1;
      while (!stop) {
        const TestSession session(*views[i]->find("c"));
        loops[i].runOnce(false);
      }
    });
  }
  const LocalityConfig& locality = source->config().endpoints[0];
  TestHost host;
  for (int round = 0; round < 200; ++round) {
    std::vector<HostSpec> specs;
    for (int i = 0; i <= round % 3; ++i) {
      specs.push_back({&locality, &locality.endpoints[0], host.address().withPort(1 + i)});
    }
    source->setHosts(specs);
    main.runOnce(false);
  }
  stop = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(store.findGauge("cluster.c.upstream_cx_active")->value(), 0u);
}

} // namespace
} // namespace culvert::upstream
