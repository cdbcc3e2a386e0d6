// SPDX-License-Identifier: Apache-2.0
#include "source/stats/store.h"

#include "gtest/gtest.h"

#include <thread>

namespace culvert::stats {
namespace {

// Runs `f` as the data thread `slot`.
template <class F> void onThread(uint32_t slot, F f) {
  std::thread([&] {
    base::thread_slot = slot;
    f();
  }).join();
}

TEST(Store, SumsACounterOverThreads) {
  Store store(3, {});
  Counter& counter = store.root().counter("a.total");
  counter.add(5);
  onThread(1, [&] { counter.add(); });
  onThread(2, [&] { counter.add(10); });
  EXPECT_EQ(counter.value(), 16);
}

TEST(Store, AGaugeMayGoDownOnAnotherThreadThanItWentUp) {
  Store store(3, {});
  Gauge& gauge = store.root().gauge("a.active");
  onThread(1, [&] { gauge.add(7); });
  onThread(2, [&] { gauge.sub(5); });
  EXPECT_EQ(gauge.value(), 2);
}

TEST(Store, SettingAGaugeReplacesWhatThreadsAdded) {
  Store store(2, {});
  Gauge& gauge = store.root().gauge("g");
  onThread(1, [&] { gauge.add(7); });
  gauge.set(UINT64_MAX);
  EXPECT_EQ(gauge.value(), UINT64_MAX);
  onThread(1, [&] { gauge.sub(3); });
  EXPECT_EQ(gauge.value(), UINT64_MAX - 3);
}

TEST(Store, AGaugeBackAtZeroIsUsedAndANewOneIsNot) {
  Store store(2, {});
  Gauge& fresh = store.root().gauge("fresh");
  Gauge& back = store.root().gauge("back");
  Gauge& zero = store.root().gauge("zero");
  onThread(1, [&] {
    back.add(2);
    back.sub(2);
  });
  zero.set(0);
  EXPECT_FALSE(fresh.used());
  EXPECT_TRUE(back.used());
  EXPECT_TRUE(zero.used());
}

TEST(Store, ResetCountersLeavesThemUsedAndLeavesGauges) {
  Store store(1, {});
  Counter& counter = store.root().counter("c");
  Gauge& gauge = store.root().gauge("g");
  counter.add(3);
  gauge.add(3);
  store.resetCounters();
  EXPECT_EQ(counter.value(), 0);
  EXPECT_TRUE(counter.used());
  EXPECT_EQ(gauge.value(), 3);
  counter.add();
  EXPECT_EQ(counter.value(), 1);
}

TEST(Store, TwoScopesShareAStatUntilTheLastGoes) {
  Store store(1, {});
  auto one = store.root().scope("tcp.a");
  auto two = store.root().scope("tcp.a.");
  Counter& counter = one->counter("total");
  one->counter("total").add();
  EXPECT_EQ(&two->counter("total"), &counter);
  one.reset();
  ASSERT_NE(store.findCounter("tcp.a.total"), nullptr);
  EXPECT_EQ(store.findCounter("tcp.a.total")->value(), 1);
  two.reset();
  EXPECT_EQ(store.findCounter("tcp.a.total"), nullptr);
}

TEST(Store, ReusesTheCellsOfAReleasedStatFromZero) {
  Store store(1, {});
  auto scope = store.root().scope("a");
  scope->counter("x").add(9);
  scope->gauge("x").add(9);
  scope.reset();
  EXPECT_EQ(store.root().counter("b").value(), 0);
  EXPECT_EQ(store.root().gauge("b").value(), 0);
  EXPECT_FALSE(store.root().gauge("b").used());
}

TEST(Store, ManyStatsHaveCellsOfTheirOwn) {
  Store store(2, {});
  for (int i = 0; i < 1000; ++i) {
    store.root().counter("c" + std::to_string(i)).add(i);
  }
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(store.findCounter("c" + std::to_string(i))->value(), i);
  }
}

TEST(Scope, CleansPrefixesAsEnvoyDoes) {
  Store store(1, {});
  EXPECT_EQ(store.root().scope("listener.[::1]:10000.")->prefix(), "listener.[__1]_10000.");
  EXPECT_EQ(store.root().scope("a")->scope("")->prefix(), "a.");
  EXPECT_EQ(store.root().scope("spiffe://x")->prefix(), "spiffe_x.");
}

TEST(Store, OneNameMayBeStatsOfSeveralKinds) {
  Store store(1, {});
  store.root().counter("x").add();
  EXPECT_EQ(store.root().gauge("x").value(), 0);
  store.root().textReadout("x").set("v1");
  EXPECT_EQ(store.findTextReadout("x")->value(), "v1");
}

TEST(Store, LeavesOutWhatTheMatcherDoes) {
  StoreConfig config;
  config.matcher.kind = StatsMatcher::Kind::kInclusionList;
  config.matcher.patterns = {{StringMatch::Kind::kPrefix, "tcp."}};
  Store store(1, config);
  store.root().counter("server.live").add();
  store.root().gauge("server.live").set(1);
  store.root().histogram("server.ms", Unit::kMilliseconds).record(1);
  store.root().textReadout("server.text").set("x");
  store.root().counter("tcp.x").add();
  EXPECT_EQ(store.counters().size(), 1);
  EXPECT_TRUE(store.gauges().empty());
  EXPECT_TRUE(store.histograms().empty());
  EXPECT_TRUE(store.textReadouts().empty());
}

} // namespace
} // namespace culvert::stats
