// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

struct event;

namespace culvert::event {

class Loop;

// Calls back on the loop when the process gets a signal.
// Threads: main, and one loop in the process only, for libevent routes all signals to one base.
class Signal {
public:
  Signal(Loop& loop, int number, std::function<void()> callback);
  ~Signal();
  Signal(const Signal&) = delete;

private:
  std::function<void()> callback_;
  struct ::event* event_;
};

} // namespace culvert::event
