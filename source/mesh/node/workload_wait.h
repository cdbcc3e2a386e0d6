// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "source/base/clock.h"
#include "source/base/intrusive_list.h"
#include "source/event/loop.h"

namespace culvert::mesh {

// Whoever waits for the workload that the node works for, because the table is still to hear of it
// (mesh-data-plane 2.1: up to five seconds). Threads: one loop's.
class WorkloadWait : public base::ListNode<WorkloadWait> {
public:
  static constexpr base::Duration kTimeout = std::chrono::seconds(5);

  // `done` is called once, when the wait ends or time is up, and not once this is destroyed, which
  // it may do itself.
  WorkloadWait(event::Loop& loop, std::function<void()> done);
  WorkloadWait(const WorkloadWait&) = delete;

  // Ends it: the workload is there.
  void finish();

private:
  event::Timer timeout_;
  std::function<void()> done_;
};

} // namespace culvert::mesh
