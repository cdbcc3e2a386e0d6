// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "source/base/clock.h"
#include "source/base/delegate.h"

namespace culvert::event {

class Loop;
class Timer;

// The armed timers of one loop, earliest first: a binary heap whose elements know their place, so
// that disarming needs no search. Threads: the loop's.
class TimerHeap {
public:
  bool empty() const { return heap_.empty(); }
  Timer* earliest() const { return heap_.empty() ? nullptr : heap_.front(); }
  void insert(Timer& timer);
  void remove(Timer& timer);

private:
  void siftUp(size_t index);
  void siftDown(size_t index);
  void place(size_t index, Timer* timer);

  std::vector<Timer*> heap_;
};

// Calls its delegate once after a delay. Re-arming replaces the deadline.
// Threads: the loop's. Lifetime: may be destroyed in its own callback.
class Timer {
public:
  using Callback = base::Delegate<void()>;

  Timer(Loop& loop, Callback callback) : loop_(loop), callback_(callback) {}
  ~Timer() { disarm(); }
  Timer(const Timer&) = delete;

  void arm(base::Duration delay);
  void disarm();
  bool armed() const { return index_ != kIdle; }
  base::Instant deadline() const { return deadline_; }

private:
  friend class Loop;
  friend class TimerHeap;
  static constexpr size_t kIdle = static_cast<size_t>(-1);

  Loop& loop_;
  Callback callback_;
  base::Instant deadline_;
  size_t index_ = kIdle;
};

} // namespace culvert::event
