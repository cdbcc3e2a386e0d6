// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "source/base/clock.h"
#include "source/server/options.h"
#include "source/server/state.h"
#include "source/stats/store.h"

namespace culvert::server {

// The statistics server.* (envoy-compat D.4). Those of Envoy that nothing here can move are named
// too, so that dashboards find them.
// Threads: main.
class ServerStats {
public:
  ServerStats(stats::Scope& root, const Options& options);

  // Fields that the configuration had and this version does not know, with
  // --allow-unknown-static-fields.
  stats::Counter& static_unknown_fields;
  // The same of what came while the server ran.
  stats::Counter& dynamic_unknown_fields;

  void setInitializationTime(base::Duration duration);

  // Before statistics are looked at.
  void update(State state, base::Duration uptime, uint64_t connections,
              uint64_t parent_connections);
  void setGeneration(uint64_t generation) { hot_restart_generation_.set(generation); }

private:
  explicit ServerStats(std::unique_ptr<stats::Scope> scope);

  const std::unique_ptr<stats::Scope> scope_;
  stats::Gauge& live_;
  stats::Gauge& state_;
  stats::Gauge& uptime_;
  stats::Gauge& total_connections_;
  stats::Gauge& parent_connections_;
  stats::Gauge& hot_restart_generation_;
  stats::Gauge& memory_allocated_;
  stats::Gauge& memory_heap_size_;
  stats::Gauge& memory_physical_size_;
  stats::Histogram& initialization_time_ms_;
};

} // namespace culvert::server
