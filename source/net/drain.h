// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "source/base/clock.h"

namespace culvert::event {
class Loop;
}

namespace culvert::net {

// Whether connections of a filter chain should end at the next good moment, since it drains: at
// once, or each with a chance that grows until the drain time is over, so that they do not all come
// back together.
// Threads: main says so, any thread asks.
class Drain {
public:
  // It is going. Said again, this changes nothing.
  void begin(base::Instant now, base::Duration time, bool gradual);
  // While it lasts every connection should end: the process is said to be unhealthy.
  void setUnhealthy(bool unhealthy) { unhealthy_.store(unhealthy, std::memory_order_relaxed); }

  // `loop`: of the thread that asks.
  bool wantsClose(event::Loop& loop) const {
    return unhealthy_.load(std::memory_order_relaxed) ||
           (end_ns_.load(std::memory_order_acquire) != 0 && chance(loop));
  }

private:
  bool chance(event::Loop& loop) const;

  std::atomic<bool> unhealthy_{false};
  std::atomic<int64_t> begin_ns_{0}; // 0: connections end at once.
  std::atomic<int64_t> end_ns_{0};   // 0: it does not drain.
};

} // namespace culvert::net
