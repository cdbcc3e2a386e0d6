// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "source/base/clock.h"

namespace culvert::upstream {

class Host;

// When a cluster's hosts are left alone for a while, with all defaults applied (envoy-compat A.5).
struct OutlierConfig {
  uint32_t consecutive_5xx = 5;
  uint32_t consecutive_gateway_failure = 5;
  uint32_t consecutive_local_origin_failure = 5;
  // Failed connects count as those of the third kind, instead of the first two.
  bool split_local_origin = false;
  base::Duration interval = std::chrono::seconds(10);
  base::Duration base_ejection_time = std::chrono::seconds(30);
  base::Duration max_ejection_time = std::chrono::seconds(300);
  base::Duration max_ejection_time_jitter{};
  uint32_t max_ejection_percent = 10;
  bool always_eject_one_host = false;
  bool passed_check_unejects = true;
  uint32_t enforcing_consecutive_5xx = 100;
  uint32_t enforcing_consecutive_gateway_failure = 0;
  uint32_t enforcing_consecutive_local_origin_failure = 100;
  uint32_t enforcing_success_rate = 100;
  uint32_t enforcing_local_origin_success_rate = 100;
  uint32_t success_rate_minimum_hosts = 5;
  uint32_t success_rate_request_volume = 100;
  uint32_t success_rate_stdev_factor = 1900; // Thousandths.
  uint32_t enforcing_failure_percentage = 0;
  uint32_t enforcing_failure_percentage_local_origin = 0;
  uint32_t failure_percentage_threshold = 85;
  uint32_t failure_percentage_minimum_hosts = 5;
  uint32_t failure_percentage_request_volume = 50;
};

// Why a host is ejected.
enum class OutlierKind : uint8_t {
  kConsecutive5xx,
  kConsecutiveGatewayFailure,
  kConsecutiveLocalOriginFailure,
  kSuccessRate,
  kLocalOriginSuccessRate,
  kFailurePercentage,
  kLocalOriginFailurePercentage,
};

// What workers count about one host, and how they say that a count has reached its limit.
// Threads: any. Lifetime: the host's state.
class OutlierCounts {
public:
  // Called on the worker that sees it.
  using Reached = std::function<void(OutlierKind)>;

  OutlierCounts(const OutlierConfig& config, Reached reached);

  void connected();
  void connectFailed();

  // The rest is main's. Begins to count anew: so many failures in a row were enough, once.
  void reset(OutlierKind kind);
  void resetConsecutive();
  // Successes and attempts since it was last asked.
  struct Rate {
    uint64_t succeeded;
    uint64_t total;
  };
  Rate takeRate();

private:
  struct Row {
    std::atomic<uint32_t> length{0};
    uint32_t limit;
  };

  void extend(Row& row, OutlierKind kind);

  const bool split_;
  const Reached reached_;
  Row failures_5xx_;
  Row failures_gateway_;
  Row failures_local_;
  std::atomic<uint64_t> succeeded_{0};
  std::atomic<uint64_t> total_{0};
};

} // namespace culvert::upstream
