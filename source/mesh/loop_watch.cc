// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/loop_watch.h"

#include <atomic>
#include <utility>

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

} // namespace culvert::mesh
