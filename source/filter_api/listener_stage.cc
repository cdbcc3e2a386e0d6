// SPDX-License-Identifier: Apache-2.0
#include "source/filter_api/listener_stage.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace culvert {

ListenerStage::ListenerStage(event::Loop& loop, net::Fd fd, ConnectionInfo info,
                             const ListenerFilterUses& filters, StageOwner& owner)
    : loop_(loop), fd_(std::move(fd)), info_(std::move(info)), filters_(filters), owner_(owner),
      was_restored_(info_.local_restored) {}

ListenerStage::~ListenerStage() = default;

ListenerStage::Waiting::Waiting(ListenerStage& stage, event::Loop& loop)
    : events(loop, stage.fd_.get(), event::FdEvents::Callback::to<&ListenerStage::onReady>(&stage)),
      timer(loop, event::Timer::Callback::to<&ListenerStage::onTimeout>(&stage)) {}

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
    const ssize_t got = ::recv(fd_.get(), scratch.data(), limit, MSG_PEEK);
    if (got <= 0) {
      return {Verdict::kWait, endOf(got)};
    }
    const size_t bytes = static_cast<size_t>(got);
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
    if (std::exchange(peer_ended, peerEnded())) {
      return {Verdict::kWait, StageEnd::kPeerClosed};
    }
    if (!peer_ended) {
      return {Verdict::kWait, std::nullopt};
    }
  }
}

// What a peek that brought no bytes means for the stage.
std::optional<StageEnd> ListenerStage::endOf(ssize_t got) {
  if (got == 0) {
    return StageEnd::kPeerClosed;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
    return std::nullopt;
  }
  return StageEnd::kPeerReset;
}

bool ListenerStage::peerEnded() const {
  pollfd peer = {fd_.get(), POLLRDHUP, 0};
  return ::poll(&peer, 1, 0) == 1;
}

// Into a buffer of its own: the bytes that onData looks at lie in the loop's.
void ListenerStage::drop(size_t bytes) {
  char dropped[1024];
  while (bytes > 0) {
    const ssize_t got = ::recv(fd_.get(), dropped, std::min(bytes, sizeof(dropped)), 0);
    if (got <= 0) {
      break; // They were peeked, so only a reset comes between; the next look finds it.
    }
    bytes -= static_cast<size_t>(got);
  }
  dropped_ = true;
}

// Bytes stay unread, so their mere presence must not wake the loop: only changes do.
void ListenerStage::wait(std::optional<base::Duration> timeout) {
  waiting_ = std::make_unique<Waiting>(*this, loop_);
  waiting_->events.setRead(event::FdEvents::ReadInterest::kPeer);
  if (timeout.has_value()) {
    waiting_->timer.arm(*timeout);
  }
}

void ListenerStage::onReady(uint32_t) {
  if (const std::optional<StageEnd> end = run()) {
    finish(*end);
  }
}

void ListenerStage::onTimeout() { finish(StageEnd::kTimedOut); }

void ListenerStage::finish(StageEnd end) {
  waiting_.reset(); // Before the descriptor goes.
  owner_.onStageEnd(*this, end);
}

net::Fd ListenerStage::takeFd() {
  waiting_.reset();
  return std::move(fd_);
}

} // namespace culvert
