// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "source/base/clock.h"
#include "source/base/intrusive_list.h"
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
class LocalWorkloadWait : public base::ListNode<LocalWorkloadWait> {
public:
  struct Key {
    std::string name;
    std::string ns;
    std::string service_account;

    // "SERVICE_ACCOUNT.NAMESPACE (NAME)"
    std::string toString() const;
  };
  static constexpr base::Duration kTimeout = std::chrono::seconds(5);

  // For who has just looked in vain. `done` is called once, when the workload is there or time is
  // up, and not once this is destroyed, which it may do itself.
  LocalWorkloadWait(const WorkloadTable& table, event::Loop& loop, Key key,
                    std::function<void()> done);
  LocalWorkloadWait(const LocalWorkloadWait&) = delete;

  // After an update: looks again.
  void onUpdate();

private:
  void finish();

  const WorkloadTable& table_;
  const Key key_;
  event::Timer timeout_;
  std::function<void()> done_;
};

} // namespace culvert::mesh
