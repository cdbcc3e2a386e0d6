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
  const ReadInterest old = std::exchange(read_interest_, interest);
  if (old != ReadInterest::kNone) {
    remove(read_);
  }
  if (old == ReadInterest::kPeer || interest == ReadInterest::kPeer) {
    renewWrite();
  }
  if (interest != ReadInterest::kNone) {
    add(read_, EV_READ);
  }
}

void FdEvents::setWrite(bool wanted) {
  if (!wanted) {
    activated_ &= static_cast<uint8_t>(~kWritable);
  }
  if (wanted == (write_ != nullptr)) {
    return;
  }
  if (!wanted) {
    remove(*write_);
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

void FdEvents::remove(EventStorage& storage) {
  if (read_interest_ != ReadInterest::kPeer) {
    raw(storage)->ev_events &= static_cast<short>(~EV_ET);
  }
  event_del(raw(storage));
}

// libevent wants both directions of a descriptor to be of one kind. It tells the kernel of a turn's
// changes together, and a direction that was removed as edge-triggered makes the other one so, for
// the next descriptor of that number too: what is removed already is removed anew.
void FdEvents::renewWrite() {
  const bool wanted = write_ != nullptr;
  setWrite(!wanted);
  setWrite(wanted);
}

void FdEvents::activate(uint32_t readiness) {
  activated_ |= static_cast<uint8_t>(readiness);
  loop_.runNext(*this);
}

void FdEvents::onReady() {
  if (activated_ != 0) {
    callback_(std::exchange(activated_, uint8_t{0}));
  }
}

void FdEvents::onEvent(int, short what, void* object) {
  auto* const self = static_cast<FdEvents*>(object);
  const Readiness read =
      self->read_interest_ == ReadInterest::kPeer ? Readiness::kPeerChanged : Readiness::kReadable;
  self->callback_((what & EV_READ ? read : 0) | (what & EV_WRITE ? kWritable : 0));
}

} // namespace culvert::event
