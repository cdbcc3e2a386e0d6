// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "source/base/clock.h"
#include "source/event/loop.h"
#include "source/mesh/table.h"

namespace culvert::mesh {

// Brings word of the table's updates from main to a worker's loop.
// Threads: made and destroyed on main, while the loop lives. The callback runs on the loop; one
// that is under way there may still run after the end of this, so what it needs is to outlive the
// loop.
class LoopWatch {
public:
  LoopWatch(WorkloadTable& table, event::Loop& loop, std::function<void(const Touched&)> callback);
  ~LoopWatch();
  LoopWatch(const LoopWatch&) = delete;

private:
  struct Shared;
  const std::shared_ptr<Shared> shared_;
  const std::unique_ptr<WorkloadTable::Watch> watch_;
};

// Whoever waits for the workload that it works for, because the table is still to hear of it
// (mesh-data-plane 2.1: up to five seconds). Threads: one loop's.
class LocalWorkloadWait {
public:
  struct Key {
    std::string name;
    std::string ns;
    std::string service_account;

    // "SERVICE_ACCOUNT.NAMESPACE (NAME)"
    std::string toString() const;
  };
  static constexpr base::Duration kTimeout = std::chrono::seconds(5);

  // `found` gets null when time is up. It is not called by start(), nor once this is destroyed,
  // which it may do itself.
  LocalWorkloadWait(const WorkloadTable& table, event::Loop& loop, Key key,
                    std::function<void(WorkloadRef)> found);
  LocalWorkloadWait(const LocalWorkloadWait&) = delete;

  // Looks at once: what is there already is returned, and nothing is called.
  WorkloadRef start(base::Duration timeout = kTimeout);
  // After an update: looks again.
  void onUpdate();

private:
  WorkloadRef look() const;
  void finish(WorkloadRef workload);
  void onTimeout() { finish(nullptr); }

  const WorkloadTable& table_;
  const Key key_;
  event::Timer timeout_;
  std::function<void(WorkloadRef)> found_;
};

} // namespace culvert::mesh
