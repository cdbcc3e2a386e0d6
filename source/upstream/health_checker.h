// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/base/random.h"
#include "source/event/loop.h"
#include "source/stats/store.h"
#include "source/upstream/cluster_info.h"
#include "source/upstream/health_check.h"
#include "source/upstream/health_event_log.h"
#include "source/upstream/host.h"

namespace culvert::upstream {

class HealthSession;

// cluster.<name>.health_check.*
struct HealthStats {
  explicit HealthStats(stats::Scope& scope);

  stats::Counter& attempt;
  stats::Counter& success;
  stats::Counter& failure;
  stats::Counter& network_failure;
  stats::Gauge& healthy;
  stats::Gauge& degraded;
};

// Active health checking of one cluster.
// Threads: main. Lifetime: the cluster's; `info` has health_check.
class HealthChecker {
public:
  // A check of a host is over; `changed`: and its health flags are others now.
  using Checked = std::function<void(Host& host, bool changed)>;
  using Runtime = std::function<uint64_t(absl::string_view key, uint64_t fallback)>;

  HealthChecker(event::Loop& main, ClusterInfoPtr info, uint64_t seed, const Runtime& runtime,
                HealthEventLog events, Checked checked);
  ~HealthChecker();

  // These are checked from now on, and no others.
  void setHosts(const std::vector<HostPtr>& hosts);
  // How many are.
  size_t size() const { return sessions_.size(); }

  // For sessions.
  event::Loop& loop() { return loop_; }
  const ClusterInfo& info() const { return *info_; }
  const HealthCheckConfig& config() const { return *info_->config.health_check; }
  HealthStats& stats() { return stats_; }
  HealthEventLog& events() { return events_; }
  // How long to wait before the next check: `pending` while a threshold is not reached yet.
  base::Duration nextDelay(bool passed, bool pending);
  base::Duration initialDelay();
  void onChecked(HealthSession& session, bool changed);

private:
  base::Duration jittered(base::Duration delay, base::Duration jitter, uint32_t percent);
  void countHealthy();

  event::Loop& loop_;
  const ClusterInfoPtr info_;
  base::Random random_;
  const Runtime& runtime_;
  HealthStats stats_;
  HealthEventLog events_;
  const Checked checked_;
  absl::flat_hash_map<const Host*, std::unique_ptr<HealthSession>> sessions_;
};

} // namespace culvert::upstream
