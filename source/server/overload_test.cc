// SPDX-License-Identifier: Apache-2.0
#include "source/server/overload.h"

#include <optional>

#include "gtest/gtest.h"
#include "source/event/simulated_clock.h"

namespace culvert::server {
namespace {

class OverloadTest : public testing::Test {
protected:
  void start(const OverloadConfig& config) {
    overload_.emplace(loop_, store_.root(), config,
                      Overload::Actions{[this](bool stop) { stopped_ = stop; },
                                        [this](double share) { rejected_share_ = share; }},
                      [this] { return heap_bytes_; });
  }
  void heapBecomes(uint64_t bytes) {
    heap_bytes_ = bytes;
    clock_.advance(std::chrono::seconds(1));
    loop_.runOnce(false);
  }
  uint64_t gauge(const char* name) const {
    return store_.findGauge(std::string("overload.envoy.") + name)->value();
  }

  event::SimulatedClock clock_;
  event::Loop loop_{"main", clock_};
  stats::Store store_{1, {}};
  uint64_t heap_bytes_ = 0;
  bool stopped_ = false;
  double rejected_share_ = 0;
  std::optional<Overload> overload_;
};

TEST_F(OverloadTest, StopsAcceptingAtTheThresholdAndGoesOnBelowIt) {
  OverloadConfig config;
  config.max_heap_bytes = 1000;
  config.stop_accepting = {{0.95, 0.95}};
  start(config);
  heapBecomes(949);
  EXPECT_FALSE(stopped_);
  heapBecomes(950);
  EXPECT_TRUE(stopped_);
  EXPECT_EQ(gauge("resource_monitors.fixed_heap.pressure"), 95u);
  EXPECT_EQ(gauge("overload_actions.stop_accepting_connections.active"), 1u);
  heapBecomes(900);
  EXPECT_FALSE(stopped_);
  EXPECT_EQ(gauge("overload_actions.stop_accepting_connections.active"), 0u);
}

TEST_F(OverloadTest, RejectsInProportionBetweenTwoThresholds) {
  OverloadConfig config;
  config.max_heap_bytes = 1000;
  config.reject_incoming = {{0.5, 0.9}};
  start(config);
  heapBecomes(500);
  EXPECT_EQ(rejected_share_, 0);
  heapBecomes(700);
  EXPECT_NEAR(rejected_share_, 0.5, 0.001);
  EXPECT_NEAR(gauge("overload_actions.reject_incoming_connections.scale_percent"), 50, 1);
  heapBecomes(2000);
  EXPECT_EQ(rejected_share_, 1);
}

TEST_F(OverloadTest, TakesTheStrongestOfSeveralTriggers) {
  OverloadConfig config;
  config.max_heap_bytes = 1000;
  config.reject_incoming = {{0.5, 1}, {0.6, 0.7}};
  start(config);
  heapBecomes(700);
  EXPECT_EQ(rejected_share_, 1);
}

} // namespace
} // namespace culvert::server
