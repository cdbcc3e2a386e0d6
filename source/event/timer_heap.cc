// SPDX-License-Identifier: Apache-2.0
#include "source/event/timer_heap.h"

#include "source/event/loop.h"

namespace culvert::event {

void TimerHeap::insert(Timer& timer) {
  heap_.push_back(&timer);
  siftUp(heap_.size() - 1);
}

void TimerHeap::remove(Timer& timer) {
  const size_t hole = timer.index_;
  Timer* const last = heap_.back();
  heap_.pop_back();
  timer.index_ = Timer::kIdle;
  if (last == &timer)
    return;
  place(hole, last);
  siftUp(hole);
  siftDown(last->index_);
}

void TimerHeap::place(size_t index, Timer* timer) {
  heap_[index] = timer;
  timer->index_ = index;
}

void TimerHeap::siftUp(size_t index) {
  Timer* const timer = heap_[index];
  while (index > 0) {
    const size_t parent = (index - 1) / 2;
    if (heap_[parent]->deadline_ <= timer->deadline_)
      break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, timer);
}

void TimerHeap::siftDown(size_t index) {
  Timer* const timer = heap_[index];
  for (;;) {
    size_t child = 2 * index + 1;
    if (child >= heap_.size())
      break;
    if (child + 1 < heap_.size() && heap_[child + 1]->deadline_ < heap_[child]->deadline_)
      child++;
    if (timer->deadline_ <= heap_[child]->deadline_)
      break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, timer);
}

void Timer::arm(base::Duration delay) {
  disarm();
  deadline_ = loop_.clock().now() + delay;
  loop_.timers_.insert(*this);
}

void Timer::disarm() {
  if (armed())
    loop_.timers_.remove(*this);
}

} // namespace culvert::event
