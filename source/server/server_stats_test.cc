// SPDX-License-Identifier: Apache-2.0
#include "source/server/server_stats.h"

#include "gtest/gtest.h"

namespace culvert::server {
namespace {

uint64_t gauge(const stats::Store& store, const char* name) {
  const stats::Gauge* const found = store.findGauge(name);
  EXPECT_NE(found, nullptr) << name;
  return found == nullptr ? 0 : found->value();
}

TEST(ServerStats, SayWhatTheServerIs) {
  stats::Store store(1, stats::StoreConfig());
  Options options;
  options.concurrency = 2;
  ServerStats stats(store.root(), options);
  EXPECT_EQ(gauge(store, "server.concurrency"), 2u);
  EXPECT_EQ(gauge(store, "server.state"), 2u);
  EXPECT_EQ(gauge(store, "server.live"), 0u);
  EXPECT_EQ(gauge(store, "server.days_until_first_cert_expiring"), 4294967295u);
  EXPECT_NE(store.findCounter("server.worker_1.watchdog_miss"), nullptr);

  stats.update(State::kLive, std::chrono::milliseconds(91'500), 3, 2);
  EXPECT_EQ(gauge(store, "server.live"), 1u);
  EXPECT_EQ(gauge(store, "server.state"), 0u);
  EXPECT_EQ(gauge(store, "server.uptime"), 91u);
  EXPECT_EQ(gauge(store, "server.total_connections"), 5u); // Those of the process of before too.
  EXPECT_EQ(gauge(store, "server.parent_connections"), 2u);
  EXPECT_GT(gauge(store, "server.memory_physical_size"), 0u);
}

TEST(ServerStats, AreNotLiveWhileUnhealthy) {
  stats::Store store(1, stats::StoreConfig());
  ServerStats stats(store.root(), Options());
  stats.update(State::kDraining, {}, 0, 0);
  EXPECT_EQ(gauge(store, "server.live"), 0u);
  EXPECT_EQ(gauge(store, "server.state"), 1u);
}

} // namespace
} // namespace culvert::server
