// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/event/loop.h"
#include "source/event/timer_heap.h"
#include "source/stats/store.h"

namespace culvert::server {

// What the overload manager is configured to do (envoy-compat A.1).
struct OverloadConfig {
  // How strongly an action is taken, by the pressure of the heap: not at all up to `from`, fully
  // from `to` on, and in proportion between.
  struct Trigger {
    double from = 0;
    double to = 0;
  };
  using Triggers = std::vector<Trigger>; // The strongest counts. None: the action is not there.

  base::Duration refresh_interval = std::chrono::seconds(1);
  std::optional<uint64_t> max_connections;
  std::optional<uint64_t> max_heap_bytes;
  Triggers stop_accepting;
  Triggers reject_incoming;
};

// Watches the heap and takes the actions that its pressure asks for. Statistics overload.*.
// Threads: main. Lifetime: within that of the loop and the scope.
class Overload {
public:
  struct Actions {
    std::function<void(bool stop)> stop_accepting;
    std::function<void(double share)> reject_incoming; // Of new connections, 0 to 1.
  };

  // `heap_bytes` says what is in use.
  Overload(event::Loop& main, stats::Scope& root, const OverloadConfig& config, Actions actions,
           std::function<uint64_t()> heap_bytes);

private:
  // One action, and what is shown of it.
  struct Action {
    Action(stats::Scope& scope, const std::string& name, const OverloadConfig::Triggers& triggers);
    // How strongly it is taken now, 0 to 1.
    double take(double pressure);

    const OverloadConfig::Triggers triggers;
    const std::string name;
    stats::Gauge& active;
    stats::Gauge& scale_percent;
  };

  void refresh();

  const OverloadConfig config_;
  const Actions actions_;
  const std::function<uint64_t()> heap_bytes_;
  const std::unique_ptr<stats::Scope> scope_;
  stats::Gauge* pressure_percent_ = nullptr; // Null: no heap monitor.
  std::unique_ptr<Action> stop_accepting_;
  std::unique_ptr<Action> reject_incoming_;
  event::Timer timer_;
};

} // namespace culvert::server
