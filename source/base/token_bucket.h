// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "source/base/clock.h"

namespace culvert::base {

// A bucket that holds at most `capacity` tokens, is full at first, and gets one more each
// `per_token`: steadily, not in gushes.
// Threads: any, without a lock: the one number kept is the time until which the tokens are spent.
class TokenBucket {
public:
  TokenBucket(uint32_t capacity, double per_token_ns, Instant now)
      : per_token_ns_(per_token_ns), burst_ns_((static_cast<double>(capacity) - 1) * per_token_ns),
        made_(now) {}

  // Whether there was a token to take.
  bool tryTake(Instant now) {
    const auto now_ns = static_cast<double>(Duration(now - made_).count());
    double spent_ns = spent_until_ns_.load(std::memory_order_relaxed);
    double taken_ns;
    do {
      const double from_ns = std::max(spent_ns, now_ns);
      if (from_ns - now_ns > burst_ns_) {
        return false;
      }
      taken_ns = from_ns + per_token_ns_;
    } while (!spent_until_ns_.compare_exchange_weak(spent_ns, taken_ns, std::memory_order_relaxed));
    return true;
  }

private:
  const double per_token_ns_;
  const double burst_ns_; // How far ahead of now they may be spent for one more to be left.
  const Instant made_;
  std::atomic<double> spent_until_ns_{0};
};

} // namespace culvert::base
