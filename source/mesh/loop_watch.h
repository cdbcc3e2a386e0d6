// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

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

} // namespace culvert::mesh
