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
                                     std::function<void()> done)
    : table_(table), key_(std::move(key)),
      timeout_(loop, event::Timer::Callback::to<&LocalWorkloadWait::finish>(this)),
      done_(std::move(done)) {
  timeout_.arm(kTimeout);
}

void LocalWorkloadWait::onUpdate() {
  if (!timeout_.armed()) {
    return;
  }
  bool there = false;
  {
    const TableReader reader(table_);
    there = reader.localWorkload(key_.name, key_.ns, key_.service_account) != nullptr;
  }
  if (there) {
    finish();
  }
}

void LocalWorkloadWait::finish() {
  timeout_.disarm();
  const auto done = std::move(done_); // It may destroy this.
  done();
}

} // namespace culvert::mesh
