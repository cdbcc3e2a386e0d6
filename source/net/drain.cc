// SPDX-License-Identifier: Apache-2.0
#include "source/net/drain.h"

#include <algorithm>

#include "source/base/random.h"
#include "source/event/loop.h"

namespace culvert::net {
namespace {

// A worker's.
struct DrainRandom : base::Random {
  explicit DrainRandom(event::Loop&) {}
};

int64_t nanoseconds(base::Instant time) {
  return std::chrono::nanoseconds(time.time_since_epoch()).count();
}

} // namespace

void Drain::begin(base::Instant now, base::Duration time, bool gradual) {
  if (end_ns_.load(std::memory_order_relaxed) != 0) {
    return;
  }
  begin_ns_.store(gradual ? nanoseconds(now) : 0, std::memory_order_relaxed);
  end_ns_.store(std::max<int64_t>(1, nanoseconds(now + time)), std::memory_order_release);
}

bool Drain::chance(event::Loop& loop) const {
  const int64_t now = nanoseconds(loop.now());
  const int64_t begin = begin_ns_.load(std::memory_order_relaxed);
  const int64_t end = end_ns_.load(std::memory_order_relaxed);
  if (begin == 0 || now >= end) {
    return true;
  }
  // A worker's clock may be a little behind the one of who began it.
  const auto passed = static_cast<uint64_t>(std::max<int64_t>(0, now - begin));
  return loop.local<DrainRandom>().below(static_cast<uint64_t>(end - begin)) < passed;
}

} // namespace culvert::net
