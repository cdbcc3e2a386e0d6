// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/original_dst.h"

#include <atomic>
#include <thread>

#include "source/upstream/upstream_fixture.h"

namespace culvert::upstream {
namespace {

using std::chrono::seconds;

// A connection that was meant for some address.
struct Meant final : LoadBalancerContext {
  const net::ConnectionInfo* downstream() const override { return &info; }
  net::ConnectionInfo info;
};

Meant meantFor(const net::Address& address) {
  Meant meant;
  meant.info.local = address;
  meant.info.local_restored = true;
  return meant;
}

ClusterConfig passing(OriginalDstConfig own = {}) {
  ClusterConfig config;
  config.name = "c";
  config.make_hosts = [own](HostSourceContext& context) { return makeOriginalDst(context, own); };
  return config;
}

struct Handler final : UpstreamHandler {
  void onUpstreamConnected() override {}
  void onUpstreamFailed(ConnectFailure) override {}
  void onUpstreamData(net::Buffer&, bool) override {}
  void onUpstreamWriteBlocked(bool) override {}
  void onUpstreamClosed(const net::CloseReason&) override {}
};

class OriginalDstTest : public UpstreamTest {
protected:
  void startPassing(OriginalDstConfig own = {}) {
    start(passing(std::move(own)));
    loop.runOnce(false);
  }

  // Where such a connection goes; nowhere.
  std::string reached(const Meant& meant) {
    auto result = cluster().connect(handler, meant);
    auto* const upstream = std::get_if<std::unique_ptr<Upstream>>(&result);
    if (upstream == nullptr) {
      return "";
    }
    open = std::move(*upstream);
    return open->host()->address.toString();
  }
  bool hostsBecome(size_t count) {
    return turnUntil([&] { return manager.find("c")->hosts().size() == count; });
  }

  const TestHost host;
  const TestHost other;
  Handler handler;
  std::unique_ptr<Upstream> open;
};

TEST_F(OriginalDstTest, GoesWhereTheConnectionWasMeantToGo) {
  startPassing();
  EXPECT_EQ(reached(meantFor(host.address())), host.address().toString());
  EXPECT_EQ(open->host()->hostname, "c" + host.address().toString());
  EXPECT_TRUE(turnUntil([&] { return gauge("membership_total") == 1; }));
  EXPECT_EQ(counter("membership_change"), 1u);
}

TEST_F(OriginalDstTest, WorkersMayBeThereBeforeItStarts) {
  ASSERT_TRUE(manager.add(passing()).ok());
  worker = manager.makeThread(loop);
  manager.initialize([] {});
  loop.runOnce(false);
  EXPECT_EQ(reached(meantFor(host.address())), host.address().toString());
  ASSERT_TRUE(hostsBecome(1));
}

TEST_F(OriginalDstTest, WhatWasNotRedirectedGoesNowhere) {
  startPassing();
  Meant meant = meantFor(host.address());
  meant.info.local_restored = false;
  EXPECT_EQ(reached(meant), "");
  EXPECT_EQ(counter("upstream_cx_none_healthy"), 1u);
}

TEST_F(OriginalDstTest, OneAddressIsOneHost) {
  startPassing();
  reached(meantFor(host.address()));
  const auto first = std::move(open);
  reached(meantFor(host.address())); // Before main heard of it.
  ASSERT_TRUE(hostsBecome(1));
  loop.runOnce(false);
  reached(meantFor(host.address()));
  reached(meantFor(other.address()));
  EXPECT_TRUE(hostsBecome(2));
  EXPECT_EQ(manager.find("c")->hosts()[0]->state().cx_total.load(), 3u);
  EXPECT_EQ(counter("membership_change"), 2u);
}

TEST_F(OriginalDstTest, AWorkerKeepsWhatItMadeUntilMainKnows) {
  startPassing();
  reached(meantFor(host.address()));
  const auto first = std::move(open);
  ASSERT_TRUE(hostsBecome(1)); // The choice that knows it is on its way to the worker.
  reached(meantFor(other.address()));
  const auto second = std::move(open);
  loop.runOnce(false);
  reached(meantFor(other.address()));
  EXPECT_EQ(open->host(), second->host());
  ASSERT_TRUE(hostsBecome(2));
  loop.runOnce(false);
  reached(meantFor(other.address()));
  EXPECT_EQ(open->host(), second->host());
}

TEST_F(OriginalDstTest, WorkersThatMeetAnAddressAtOnceAgreeLater) {
  startPassing();
  const auto other_worker = manager.makeThread(loop);
  const auto reachedByOther = [&] {
    auto result = other_worker->find("c")->connect(handler, meantFor(host.address()));
    return std::get<std::unique_ptr<Upstream>>(std::move(result));
  };
  reached(meantFor(host.address()));
  auto others = reachedByOther();
  EXPECT_NE(open->host(), others->host());
  ASSERT_TRUE(hostsBecome(2)); // Each has a connection, and is shown.
  loop.runOnce(false);
  others = reachedByOther();
  EXPECT_EQ(open->host(), others->host());
}

TEST_F(OriginalDstTest, AHostIsForgottenAfterAnIntervalWithoutConnections) {
  startPassing();
  reached(meantFor(host.address()));
  ASSERT_TRUE(hostsBecome(1));
  clock.advance(seconds(5));
  loop.runOnce(false);
  clock.advance(seconds(5)); // It is still connected.
  loop.runOnce(false);
  EXPECT_EQ(manager.find("c")->hosts().size(), 1u);
  open.reset();
  clock.advance(seconds(5));
  EXPECT_TRUE(hostsBecome(0));
  EXPECT_EQ(counter("membership_change"), 2u);
}

TEST_F(OriginalDstTest, ThePortMayBeAnother) {
  OriginalDstConfig config;
  config.port = other.address().port();
  startPassing(config);
  EXPECT_EQ(reached(meantFor(host.address())), other.address().toString());
}

TEST_F(OriginalDstTest, AFilterMaySayWhere) {
  startPassing();
  Meant meant = meantFor(host.address());
  meant.info.mutableFilterState().set("envoy.network.transport_socket.original_dst_address",
                                      std::make_shared<net::AddressState>(other.address()));
  EXPECT_EQ(reached(meant), other.address().toString());
}

TEST_F(OriginalDstTest, SoMayMetadata) {
  OriginalDstConfig config;
  config.metadata_filter = "f";
  config.metadata_path = {"to"};
  startPassing(config);
  Meant meant = meantFor(host.address());
  meant.info.mutableDynamicMetadata().set("f", {{"to", {other.address().toString()}}});
  EXPECT_EQ(reached(meant), other.address().toString());
  meant.info.mutableDynamicMetadata().set("f", {{"to", {std::string("nowhere")}}});
  EXPECT_EQ(reached(meant), host.address().toString());
  EXPECT_EQ(counter("original_dst_host_invalid"), 1u);
}

TEST_F(OriginalDstTest, OutliersAreSeenAmongSuchHostsToo) {
  ClusterConfig config = passing();
  config.outlier = OutlierConfig();
  config.outlier->consecutive_5xx = 1;
  config.outlier->max_ejection_percent = 100;
  start(std::move(config));
  loop.runOnce(false);
  const net::Address nobody = TestHost().address();
  reached(meantFor(nobody));
  EXPECT_TRUE(turnUntil([&] { return counter("upstream_cx_connect_fail") == 1; }));
  EXPECT_TRUE(
      turnUntil([&] { return counter("outlier_detection.ejections_enforced_total") == 1; }));
}

// For the thread sanitizer: two workers make hosts while main adopts and forgets them.
TEST(OriginalDstThreads, WorkersMakeHostsWhileMainForgetsThem) {
  const base::SystemClock clock;
  stats::Store store(3, {});
  event::Loop main("main", clock);
  event::Loop loops[] = {{"one", clock}, {"two", clock}};
  ClusterManager manager(main, store.root(), {});
  OriginalDstConfig own;
  own.cleanup_interval = std::chrono::milliseconds(1);
  ClusterConfig config = passing(own);
  config.outlier = OutlierConfig();
  config.outlier->consecutive_5xx = 1;
  ASSERT_TRUE(manager.add(std::move(config)).ok());
  manager.initialize([] {});
  std::vector<std::unique_ptr<ThreadClusters>> views;
  views.push_back(manager.makeThread(loops[0]));
  views.push_back(manager.makeThread(loops[1]));
  const TestHost host;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      base::thread_slot = i + 1;
      Handler handler;
      for (uint16_t round = 0; !stop; ++round) {
        const Meant meant = meantFor(host.address().withPort(1 + round % 5));
        const auto result = views[i]->find("c")->connect(handler, meant);
        loops[i].runOnce(false);
      }
    });
  }
  const stats::Counter& changes = *store.findCounter("cluster.c.membership_change");
  while (changes.value() < 100) {
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
