// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/table_watch.h"

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/mesh/table_reader.h"

namespace culvert::mesh {

struct LoopWatch::Shared {
  const std::function<void(const Touched&)> callback;
  std::atomic<bool> ended{false};
};

LoopWatch::LoopWatch(WorkloadTable& table, event::Loop& loop,
                     std::function<void(const Touched&)> callback)
    : shared_(new Shared{std::move(callback), {}}),
      watch_(table.watch([shared = shared_, &loop](const Touched& touched) {
        loop.post([shared, touched] {
          if (!shared->ended.load(std::memory_order_acquire)) {
            shared->callback(touched);
          }
        });
      })) {}

LoopWatch::~LoopWatch() { shared_->ended.store(true, std::memory_order_release); }

std::string LocalWorkloadWait::Key::toString() const {
  return absl::StrCat(service_account, ".", ns, " (", name, ")");
}

LocalWorkloadWait::LocalWorkloadWait(const WorkloadTable& table, event::Loop& loop, Key key,
                                     std::function<void(WorkloadRef)> found)
    : table_(table), key_(std::move(key)),
      timeout_(loop, event::Timer::Callback::to<&LocalWorkloadWait::onTimeout>(this)),
      found_(std::move(found)) {}

WorkloadRef LocalWorkloadWait::start(base::Duration timeout) {
  WorkloadRef workload = look();
  if (!workload) {
    timeout_.arm(timeout);
  }
  return workload;
}

void LocalWorkloadWait::onUpdate() {
  if (!timeout_.armed()) {
    return;
  }
  if (WorkloadRef workload = look(); workload) {
    finish(std::move(workload));
  }
}

WorkloadRef LocalWorkloadWait::look() const {
  const TableReader reader(table_);
  return WorkloadRef(reader.localWorkload(key_.name, key_.ns, key_.service_account));
}

void LocalWorkloadWait::finish(WorkloadRef workload) {
  timeout_.disarm();
  const auto found = std::move(found_); // It may destroy this.
  found(std::move(workload));
}

} // namespace culvert::mesh
