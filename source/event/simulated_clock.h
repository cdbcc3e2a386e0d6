// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "source/base/clock.h"

namespace culvert::event {

// Time that stands still until a test moves it. A loop built on it runs timers as soon as the
// clock has passed them; wake the loop after advance().
// Threads: any.
class SimulatedClock final : public base::Clock {
public:
  base::Instant now() const override { return base::Instant(base::Duration(now_ns_.load())); }
  base::WallTime wallNow() const override {
    return base::WallTime(std::chrono::duration_cast<base::WallTime::duration>(
        base::Duration(kWallStartNs + now_ns_.load())));
  }
  bool simulated() const override { return true; }

  void advance(base::Duration by) { now_ns_ += by.count(); }

private:
  static constexpr int64_t kWallStartNs = 1'700'000'000'000'000'000;
  std::atomic<int64_t> now_ns_{1'000'000'000};
};

} // namespace culvert::event
