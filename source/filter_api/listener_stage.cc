// SPDX-License-Identifier: Apache-2.0
#include "source/filter_api/listener_stage.h"

#include <algorithm>
#include <utility>

namespace culvert {

ListenerStage::ListenerStage(event::Loop& loop, std::unique_ptr<net::AcceptedIo> io,
                             ConnectionInfo info, const ListenerFilterUses& filters,
                             StageOwner& owner)
    : loop_(loop), io_(std::move(io)), info_(std::move(info)), filters_(filters), owner_(owner),
      was_restored_(info_.local_restored) {}

ListenerStage::~ListenerStage() = default;

std::optional<StageEnd> ListenerStage::run() {
  for (; next_ < filters_.size(); next_++) {
    Look look = {filter_ == nullptr ? begin() : Verdict::kWait, std::nullopt};
    if (look.verdict == Verdict::kWait) {
      look = this->look();
    }
    if (look.end.has_value() || look.verdict == Verdict::kWait) {
      return look.end;
    }
    if (look.verdict == Verdict::kClose) {
      return StageEnd::kRefused;
    }
    filter_.reset();
  }
  return StageEnd::kReady;
}

Verdict ListenerStage::begin() {
  const ListenerFilterUse& use = filters_[next_];
  if (use.disabled && use.disabled(info_.local)) {
    return Verdict::kContinue;
  }
  filter_ = use.config->newFilter();
  filter_->connection_ = this;
  return filter_->onAccept();
}

// Shows the filter what has come until it has an answer or there is nothing that it has not seen.
ListenerStage::Look ListenerStage::look() {
  const absl::Span<char> scratch = loop_.scratch();
  bool peer_ended = false;
  for (;;) {
    const size_t limit = std::min(filter_->maxBytes(), scratch.size());
    const auto [status, bytes] = io_->peek(scratch.subspan(0, limit));
    if (bytes == 0) {
      return {Verdict::kWait, endOf(status)};
    }
    heard_ = true;
    dropped_ = false;
    const Verdict verdict = filter_->onData({scratch.data(), bytes});
    if (verdict != Verdict::kWait) {
      return {verdict, std::nullopt};
    }
    const bool full = bytes == limit;
    if (dropped_ || (full && filter_->maxBytes() > limit)) {
      continue;
    }
    if (full) { // It neither decides nor wants more: it would wait for ever.
      return {Verdict::kClose, std::nullopt};
    }
    // Unread bytes hide the peer's end from a peek. What came with the end is looked at once more.
    if (std::exchange(peer_ended, io_->peerEnded())) {
      return {Verdict::kWait, StageEnd::kPeerClosed};
    }
    if (!peer_ended) {
      return {Verdict::kWait, std::nullopt};
    }
  }
}

// What a peek that brought no bytes means for the stage.
std::optional<StageEnd> ListenerStage::endOf(net::IoStatus status) {
  switch (status) {
  case net::IoStatus::kEnd:
    return StageEnd::kPeerClosed;
  case net::IoStatus::kReset:
    return StageEnd::kPeerReset;
  default:
    return std::nullopt;
  }
}

// Into a buffer of its own: the bytes that onData looks at lie in the loop's.
void ListenerStage::drop(size_t bytes) {
  char dropped[1024];
  while (bytes > 0) {
    const size_t got = io_->read({dropped, std::min(bytes, sizeof(dropped))}).bytes;
    if (got == 0) {
      break; // They were peeked, so only a reset comes between; the next look finds it.
    }
    bytes -= got;
  }
  dropped_ = true;
}

// Bytes stay unread, so their mere presence must not wake the loop: only changes do.
void ListenerStage::wait(std::optional<base::Duration> timeout) {
  io_->setReadyCallback(net::Io::ReadyCallback::to<&ListenerStage::onReady>(this));
  io_->setRead(event::FdEvents::ReadInterest::kPeer);
  if (timeout.has_value()) {
    timer_.emplace(loop_, event::Timer::Callback::to<&ListenerStage::onTimeout>(this));
    timer_->arm(*timeout);
  }
}

void ListenerStage::onReady(uint32_t) {
  if (const std::optional<StageEnd> end = run()) {
    finish(*end);
  }
}

void ListenerStage::onTimeout() { finish(StageEnd::kTimedOut); }

void ListenerStage::finish(StageEnd end) {
  timer_.reset();
  owner_.onStageEnd(*this, end);
}

// What it reported to is gone with the stage, so nothing is to be reported until it has a new
// place.
std::unique_ptr<net::AcceptedIo> ListenerStage::takeIo() {
  timer_.reset();
  if (io_ != nullptr) {
    io_->setRead(event::FdEvents::ReadInterest::kNone);
  }
  return std::move(io_);
}

} // namespace culvert
