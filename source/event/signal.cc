// SPDX-License-Identifier: Apache-2.0
#include "source/event/signal.h"

#include <event2/event.h>

#include <utility>

#include "source/event/loop.h"

namespace culvert::event {

Signal::Signal(Loop& loop, int number, std::function<void()> callback)
    : callback_(std::move(callback)),
      event_(evsignal_new(
          loop.base_, number,
          [](int, short, void* self) { static_cast<Signal*>(self)->callback_(); }, this)) {
  event_add(event_, nullptr);
}

Signal::~Signal() { event_free(event_); }

} // namespace culvert::event
