// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "source/stats/store.h"
#include "source/upstream/config.h"

namespace culvert::upstream {

// How much of one thing a cluster uses, over all threads, against its limit. The gauges move with
// it: `open` while the limit is reached, `remaining` if that is tracked.
// Threads: any; made and destroyed on main.
class alignas(64) Breaker {
public:
  Breaker(uint64_t max, stats::Gauge& open, stats::Gauge* remaining)
      : max_(max), open_(open), remaining_(remaining) {
    if (remaining_ != nullptr) {
      remaining_->add(max_);
    }
  }
  ~Breaker() {
    if (remaining_ != nullptr) {
      remaining_->sub(max_);
    }
  }
  Breaker(const Breaker&) = delete;

  uint64_t max() const { return max_; }
  uint64_t used() const { return used_.load(std::memory_order_relaxed); }

  // Takes one unless the limit is reached.
  bool tryTake() {
    uint64_t used = used_.load(std::memory_order_relaxed);
    do {
      if (used >= max_) {
        return false;
      }
    } while (!used_.compare_exchange_weak(used, used + 1, std::memory_order_relaxed));
    onTaken(used);
    return true;
  }
  // Takes one even beyond the limit.
  void take() { onTaken(used_.fetch_add(1, std::memory_order_relaxed)); }
  void giveBack() {
    const uint64_t used = used_.fetch_sub(1, std::memory_order_relaxed);
    if (used == max_) {
      open_.sub();
    }
    if (remaining_ != nullptr && used <= max_) {
      remaining_->add();
    }
  }

private:
  void onTaken(uint64_t used_before) {
    if (used_before + 1 == max_) {
      open_.add();
    }
    if (remaining_ != nullptr && used_before < max_) {
      remaining_->sub();
    }
  }

  std::atomic<uint64_t> used_{0};
  const uint64_t max_;
  stats::Gauge& open_;
  stats::Gauge* const remaining_;
};

class BreakerGauges;

// The limits of one routing priority. TCP uses connections, pending (while it connects) and
// requests, of which only the first two refuse anything; Envoy's TCP pool does the same.
// Threads: as Breaker.
struct CircuitBreakers {
  // `scope` is the cluster's; `priority` is "default" or "high".
  CircuitBreakers(const BreakerThresholds& limits, stats::Scope& scope, absl::string_view priority);

  Breaker connections;
  Breaker pending;
  Breaker requests;
  Breaker retries;
  Breaker pools;

private:
  CircuitBreakers(const BreakerThresholds& limits, const BreakerGauges& gauges);
};

} // namespace culvert::upstream
