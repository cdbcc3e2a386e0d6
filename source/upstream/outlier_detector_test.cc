// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/outlier_detector.h"

#include "source/upstream/upstream_fixture.h"

namespace culvert::upstream {
namespace {

using std::chrono::seconds;

class OutlierDetectorTest : public UpstreamTest {
protected:
  // Hosts that listen, and behind them some that do not.
  ClusterConfig watched(size_t up, size_t down, const OutlierConfig& outlier) {
    std::vector<net::Address> hosts;
    for (size_t i = 0; i < up; ++i) {
      hosts.push_back(listening.emplace_back(std::make_unique<TestHost>())->address());
    }
    for (size_t i = 0; i < down; ++i) {
      hosts.push_back(TestHost().address());
    }
    ClusterConfig config = clusterOf(hosts);
    config.outlier = outlier;
    config.panic_threshold_percent = 0;
    return config;
  }

  void attempts(int count) {
    for (int i = 0; i < count; ++i) {
      TestSession session(cluster());
      ASSERT_TRUE(turnUntil([&] { return session.connected || session.failed.has_value(); }));
      loop.runOnce(false); // What workers say arrives.
      loop.runOnce(false);
    }
  }
  void pass(base::Duration time) {
    clock.advance(time);
    loop.runOnce(false);
    loop.runOnce(false);
  }
  std::string flags(size_t host) { return manager.find("c")->hosts()[host]->healthFlagsText(); }
  uint64_t stat(const std::string& name) { return counter("outlier_detection." + name); }

  std::vector<std::unique_ptr<TestHost>> listening;
};

TEST_F(OutlierDetectorTest, FailedConnectsEject) {
  start(watched(1, 1, {.consecutive_5xx = 2, .max_ejection_percent = 50}));
  attempts(4);
  EXPECT_EQ(flags(0), "healthy");
  EXPECT_EQ(flags(1), "/failed_outlier_check");
  EXPECT_EQ(gauge("outlier_detection.ejections_active"), 1u);
  EXPECT_EQ(stat("ejections_enforced_consecutive_5xx"), 1u);
  EXPECT_EQ(stat("ejections_enforced_total"), 1u);
  EXPECT_EQ(gauge("membership_healthy"), 1u);
  const uint64_t failures = counter("upstream_cx_connect_fail");
  attempts(4); // It gets nothing more.
  EXPECT_EQ(counter("upstream_cx_connect_fail"), failures);
}

TEST_F(OutlierDetectorTest, AnEjectedHostComesBackAndNextTimeStaysAwayLonger) {
  start(watched(1, 1,
                {.consecutive_5xx = 1,
                 .interval = seconds(1),
                 .base_ejection_time = seconds(3),
                 .max_ejection_percent = 50}));
  attempts(2);
  ASSERT_EQ(flags(1), "/failed_outlier_check");
  pass(seconds(1));
  pass(seconds(1));
  EXPECT_EQ(flags(1), "/failed_outlier_check");
  pass(seconds(1));
  EXPECT_EQ(flags(1), "healthy");
  attempts(2);
  ASSERT_EQ(flags(1), "/failed_outlier_check");
  for (int i = 0; i < 5; ++i) {
    pass(seconds(1));
  }
  EXPECT_EQ(flags(1), "/failed_outlier_check");
  pass(seconds(1));
  EXPECT_EQ(flags(1), "healthy");
  EXPECT_EQ(gauge("outlier_detection.ejections_active"), 0u);
}

TEST_F(OutlierDetectorTest, ASuccessBetweenBeginsTheCountAnew) {
  OutlierCounts counts({.consecutive_5xx = 2}, [](OutlierKind) { FAIL(); });
  for (int i = 0; i < 3; ++i) {
    counts.connectFailed();
    counts.connected();
  }
  EXPECT_EQ(counts.takeRate().total, 6u);
  EXPECT_EQ(counts.takeRate().total, 0u);
}

TEST_F(OutlierDetectorTest, OnlySoManyMayBeAway) {
  start(watched(1, 1, {.consecutive_5xx = 1}));
  attempts(2);
  EXPECT_EQ(flags(1), "healthy");
  EXPECT_EQ(stat("ejections_detected_consecutive_5xx"), 1u);
  EXPECT_EQ(stat("ejections_overflow"), 1u);
}

TEST_F(OutlierDetectorTest, OneMayAlwaysBeAwayIfAskedFor) {
  start(watched(1, 1, {.consecutive_5xx = 1, .always_eject_one_host = true}));
  attempts(2);
  EXPECT_EQ(flags(1), "/failed_outlier_check");
}

TEST_F(OutlierDetectorTest, WhatIsNotEnforcedIsOnlyCounted) {
  start(watched(
      1, 1, {.consecutive_5xx = 1, .max_ejection_percent = 100, .enforcing_consecutive_5xx = 0}));
  attempts(2);
  EXPECT_EQ(flags(1), "healthy");
  EXPECT_EQ(stat("ejections_detected_consecutive_5xx"), 1u);
  EXPECT_EQ(stat("ejections_enforced_total"), 0u);
}

TEST_F(OutlierDetectorTest, LocalFailuresCanBeKeptApart) {
  start(watched(1, 1,
                {.consecutive_5xx = 1,
                 .consecutive_local_origin_failure = 2,
                 .split_local_origin = true,
                 .max_ejection_percent = 100}));
  attempts(4);
  EXPECT_EQ(stat("ejections_detected_consecutive_5xx"), 0u);
  EXPECT_EQ(stat("ejections_enforced_consecutive_local_origin_failure"), 1u);
}

TEST_F(OutlierDetectorTest, GatewayFailuresAreAnotherCount) {
  start(watched(1, 1,
                {.consecutive_gateway_failure = 1,
                 .max_ejection_percent = 100,
                 .enforcing_consecutive_gateway_failure = 100}));
  attempts(2);
  EXPECT_EQ(stat("ejections_enforced_consecutive_gateway_failure"), 1u);
}

TEST_F(OutlierDetectorTest, TheSuccessRateOfOneMayBeFarBelowTheOthers) {
  start(watched(3, 1,
                {.consecutive_5xx = 100,
                 .interval = seconds(1),
                 .max_ejection_percent = 100,
                 .success_rate_minimum_hosts = 4,
                 .success_rate_request_volume = 3,
                 .success_rate_stdev_factor = 1000}));
  attempts(12);
  pass(seconds(1));
  EXPECT_EQ(flags(3), "/failed_outlier_check");
  EXPECT_EQ(stat("ejections_enforced_success_rate"), 1u);
  EXPECT_EQ(manager.find("c")->outliers()->averages().success_rate, 75.0);
}

TEST_F(OutlierDetectorTest, ThePercentageOfFailuresMayBeTooHigh) {
  start(watched(1, 1,
                {.consecutive_5xx = 100,
                 .interval = seconds(1),
                 .max_ejection_percent = 100,
                 .enforcing_failure_percentage = 100,
                 .failure_percentage_minimum_hosts = 2,
                 .failure_percentage_request_volume = 3}));
  attempts(6);
  pass(seconds(1));
  EXPECT_EQ(flags(1), "/failed_outlier_check");
  EXPECT_EQ(stat("ejections_enforced_failure_percentage"), 1u);
}

} // namespace
} // namespace culvert::upstream
