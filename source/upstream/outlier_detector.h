// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/access_log/log_file.h"
#include "source/base/random.h"
#include "source/event/timer_heap.h"
#include "source/stats/store.h"
#include "source/upstream/cluster_info.h"
#include "source/upstream/host.h"
#include "source/upstream/outlier.h"

namespace culvert::upstream {

// Ejects hosts that fail, for base_ejection_time times how often they were ejected lately, by
// Envoy's rules. Workers count (OutlierCounts); the decisions are taken here.
// Threads: main. Lifetime: the cluster's; `info` has outlier, `runtime` outlives it.
class OutlierDetector {
public:
  using Runtime = std::function<uint64_t(absl::string_view key, uint64_t fallback)>;

  // `changed`: a host was ejected or came back. `log` may be null.
  OutlierDetector(event::Loop& main, ClusterInfoPtr info, uint64_t seed, const Runtime& runtime,
                  std::shared_ptr<access_log::LogFile> log,
                  std::function<void(const Host&)> changed);
  ~OutlierDetector();

  // These are watched from now on, and no others.
  void setHosts(const std::vector<HostPtr>& hosts);
  // This one, too.
  void watch(const HostPtr& host);
  // Gives a host its counts before any worker sees it, for hosts that come from a worker.
  // Threads: any, also when the detector is gone.
  const std::function<void(HostState&)>& preparer() const { return prepare_; }
  // It passed an active health check.
  void onCheckPassed(const Host& host);

  // What /clusters shows. Nothing: too few hosts, or too few connections.
  struct Averages {
    std::optional<double> success_rate;
    std::optional<double> success_rate_ejection_threshold;
  };
  const Averages& averages() const { return averages_; }
  const Averages& localOriginAverages() const { return local_origin_averages_; }
  struct Rates {
    std::optional<double> success;
    std::optional<double> local_origin_success;
  };
  Rates ratesOf(const Host& host) const;

private:
  static constexpr size_t kKinds = 7;
  struct Stats;
  struct Handle;
  struct Watched;
  using ByHost = absl::flat_hash_map<const HostState*, std::unique_ptr<Watched>>;

  void forget(Watched& watched);
  void onReached(const HostState* host, OutlierKind kind);
  void onInterval();
  void armInterval();
  void considerReturn(Watched& watched);
  void judgeRates();
  void judgeSuccessRates(const std::vector<Watched*>& hosts, Averages& averages);
  void judgeFailurePercentages(const std::vector<Watched*>& hosts);
  void detect(Watched& watched, OutlierKind kind);
  void eject(Watched& watched, OutlierKind kind, bool enforced);
  void uneject(Watched& watched);
  uint64_t value(const char* key, uint64_t fallback) const;
  base::Duration duration(const char* key, base::Duration fallback) const;
  bool enforces(OutlierKind kind);
  void log(Watched& watched, const char* action, OutlierKind kind, bool enforced);

  event::Loop& loop_;
  const ClusterInfoPtr info_;
  const OutlierConfig& config_;
  base::Random random_;
  const Runtime& runtime_;
  const std::unique_ptr<Stats> stats_;
  const std::shared_ptr<access_log::LogFile> log_;
  const std::function<void(const Host&)> changed_;
  const std::shared_ptr<Handle> handle_; // Through which workers' words find this detector.
  const std::function<void(HostState&)> prepare_;
  event::Timer interval_timer_;
  ByHost hosts_;
  size_t ejected_ = 0;
  Averages averages_;
  Averages local_origin_averages_;
};

} // namespace culvert::upstream
