// SPDX-License-Identifier: Apache-2.0
#include "source/event/fd_events.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <utility>

namespace culvert::event {

FdEvents::FdEvents(Loop& loop, int fd, Callback callback)
    : loop_(loop), callback_(callback), fd_(fd) {
  static_assert(sizeof(struct ::event) <= kEventBytes &&
                alignof(struct ::event) <= alignof(EventStorage));
}

FdEvents::~FdEvents() {
  setRead(ReadInterest::kNone);
  setWrite(false);
}

void FdEvents::setRead(ReadInterest interest) {
  if (interest == read_interest_) {
    return;
  }
  if (read_interest_ != ReadInterest::kNone) {
    event_del(raw(read_));
  }
  const bool was_edge = std::exchange(read_interest_, interest) == ReadInterest::kPeer;
  if (write_ != nullptr && (was_edge || interest == ReadInterest::kPeer)) {
    setWrite(false); // libevent wants both directions of a descriptor to be of one kind.
    setWrite(true);
  }
  if (interest != ReadInterest::kNone) {
    add(read_, EV_READ);
  }
}

void FdEvents::setWrite(bool wanted) {
  if (wanted == (write_ != nullptr)) {
    return;
  }
  if (!wanted) {
    event_del(raw(*write_));
    write_.reset();
    return;
  }
  write_ = std::make_unique<EventStorage>();
  add(*write_, EV_WRITE);
}

void FdEvents::add(EventStorage& storage, short what) {
  const short kind = read_interest_ == ReadInterest::kPeer ? EV_PERSIST | EV_ET : EV_PERSIST;
  event_assign(raw(storage), loop_.base_, fd_, static_cast<short>(what | kind), onEvent, this);
  event_add(raw(storage), nullptr);
}

void FdEvents::activate(uint32_t readiness) {
  activated_ |= static_cast<uint8_t>(readiness);
  loop_.runNext(*this);
}

void FdEvents::onReady() { callback_(std::exchange(activated_, uint8_t{0})); }

void FdEvents::onEvent(int, short what, void* object) {
  auto* const self = static_cast<FdEvents*>(object);
  const Readiness read =
      self->read_interest_ == ReadInterest::kPeer ? Readiness::kPeerChanged : Readiness::kReadable;
  self->callback_((what & EV_READ ? read : 0) | (what & EV_WRITE ? kWritable : 0));
}

} // namespace culvert::event
