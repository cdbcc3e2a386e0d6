// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace culvert::base {

using Instant = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;
using Duration = std::chrono::nanoseconds;

// Whole ones, rounded down: how statistics, logs and pages count time.
inline uint64_t toMilliseconds(std::chrono::nanoseconds duration) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

// Where time comes from. Everything that waits asks a Clock, so that a test can move it.
// Threads: any. Lifetime: outlives every Loop built on it.
class Clock {
public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  virtual WallTime wallNow() const = 0;
  // True when waiting for real does not make now() advance: loops then never sleep on a deadline.
  virtual bool simulated() const { return false; }
};

// The machine's clock.
class SystemClock final : public Clock {
public:
  Instant now() const override { return std::chrono::steady_clock::now(); }
  WallTime wallNow() const override { return std::chrono::system_clock::now(); }
};

} // namespace culvert::base
