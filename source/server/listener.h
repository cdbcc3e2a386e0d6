// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "source/event/loop.h"
#include "source/runtime/loader.h"
#include "source/server/filter_chain_matcher.h"
#include "source/server/listener_config.h"
#include "source/stats/store.h"

namespace culvert::server {

// The statistics `listener.<address>.*` (envoy-compat D.1).
struct ListenerStats {
  ListenerStats(stats::Scope& scope, uint32_t workers);

  // Of one worker: `listener.<address>.worker_0.*`.
  struct PerWorker {
    stats::Counter& downstream_cx_total;
    stats::Gauge& downstream_cx_active;
  };

  stats::Counter& downstream_cx_total;
  stats::Counter& downstream_cx_destroy;
  stats::Counter& downstream_cx_overflow;
  stats::Counter& downstream_cx_overload_reject;
  stats::Counter& downstream_global_cx_overflow;
  stats::Counter& downstream_cx_transport_socket_connect_timeout;
  stats::Counter& downstream_pre_cx_timeout;
  stats::Counter& downstream_listener_filter_error;
  stats::Counter& downstream_listener_filter_remote_close;
  stats::Counter& no_filter_chain_match;
  stats::Counter& network_extension_config_missing;
  stats::Gauge& downstream_cx_active;
  stats::Gauge& downstream_pre_cx_active;
  stats::Histogram& downstream_cx_length_ms;
  stats::Histogram& connections_accepted_per_socket_event;
  std::vector<PerWorker> workers;
};

// A listener with everything that its workers share. A change of configuration makes a new one.
// Threads: made on main; workers read the constants and the atomics, and count in its statistics.
// Lifetime: shared; the last session of the listener lets it go, on main.
class Listener {
public:
  // What a listener shares with those that were configured of its name before.
  class Load;

  // `load`: of the one that it replaces, or null. Errors: chains that clash.
  static absl::StatusOr<std::shared_ptr<Listener>>
  create(ListenerConfig config, stats::Scope& root, uint32_t workers, event::Loop& main,
         runtime::Watched<uint64_t> connection_limit, std::shared_ptr<Load> load = nullptr);

  const ListenerConfig& config() const { return config_; }
  const FilterChainMatcher& matcher() const { return *matcher_; }
  ListenerStats& stats() { return stats_; }

  // Whether its connections count towards the process's limit: internal ones came in elsewhere.
  bool countsForProcess() const {
    return !config_.ignore_global_connection_limit && !config_.isInternal();
  }

  // Counts one more connection of `worker`, unless that would be above the runtime's limit.
  bool tryAdd(uint32_t worker);
  // Counts one that another listener handed over, whatever the limit.
  void add(uint32_t worker);
  void remove(uint32_t worker);
  // The worker with the fewest connections, which then has one more: for exact balance.
  uint32_t addToLeastLoaded();

  // Whether it is time to say again that a client waited for us to speak first.
  bool mayTellOfSilence(base::Instant now);

  const std::shared_ptr<Load>& load() const { return load_; }

private:
  Listener(ListenerConfig config, std::unique_ptr<const FilterChainMatcher> matcher,
           std::unique_ptr<stats::Scope> scope, uint32_t workers,
           runtime::Watched<uint64_t> connection_limit, std::shared_ptr<Load> load);

  const ListenerConfig config_;
  const std::unique_ptr<const FilterChainMatcher> matcher_;
  const std::unique_ptr<stats::Scope> scope_;
  ListenerStats stats_;
  const runtime::Watched<uint64_t> connection_limit_;
  std::atomic<int64_t> silence_told_ns_{0}; // Since the clock's epoch; 0: never.
  const std::shared_ptr<Load> load_;
};

// How many connections there are, and of which worker. Threads: any.
class Listener::Load {
public:
  explicit Load(uint32_t workers) : of_worker(workers) {}

  std::atomic<uint64_t> connections{0};
  std::vector<std::atomic<uint32_t>> of_worker;
};

} // namespace culvert::server
