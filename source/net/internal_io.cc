// SPDX-License-Identifier: Apache-2.0
#include "source/net/internal_io.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "source/net/socket.h"

namespace culvert::net {
namespace {

using event::FdEvents;

} // namespace

InternalIo::Pair InternalIo::makePair(event::Loop& loop, size_t bytes_max, Address client,
                                      Address server) {
  std::unique_ptr<InternalIo> connects(new InternalIo(loop, bytes_max, std::move(client), true));
  std::unique_ptr<InternalIo> accepted(new InternalIo(loop, bytes_max, std::move(server), false));
  connects->peer_ = accepted.get();
  accepted->peer_ = connects.get();
  return {std::move(connects), std::move(accepted)};
}

InternalIo::InternalIo(event::Loop& loop, size_t bytes_max, Address address, bool connecting)
    : loop_(loop), bytes_max_(bytes_max), address_(std::move(address)), connecting_(connecting) {}

InternalIo::~InternalIo() { close(false); }

void InternalIo::setRead(FdEvents::ReadInterest interest) {
  read_interest_ = interest;
  if (interest == FdEvents::ReadInterest::kPeer) {
    changed_ = ended_ || reset_; // What is there already is reported once, as a kernel does.
  }
  wake();
}

void InternalIo::setWrite(bool wanted) {
  write_wanted_ = wanted;
  wake();
}

void InternalIo::activate(uint32_t readiness) {
  activated_ |= static_cast<uint8_t>(readiness);
  loop_.runNext(*this);
}

// Asks for a turn if there is something to report.
void InternalIo::wake() {
  if (readiness() != 0) {
    loop_.runNext(*this);
  }
}

void InternalIo::onReady() {
  const uint32_t ready = readiness() | std::exchange(activated_, uint8_t{0});
  if ((ready & event::kPeerChanged) != 0) {
    changed_ = false;
  }
  if (ready != 0) {
    callback_(ready); // This may be gone now.
  }
}

uint32_t InternalIo::readiness() const {
  const bool readable = !inbox_.empty() || ended_;
  uint32_t ready = write_wanted_ && takesMore() ? event::kWritable : 0;
  if (read_interest_ == FdEvents::ReadInterest::kData && readable) {
    ready |= event::kReadable;
  }
  if (read_interest_ == FdEvents::ReadInterest::kPeer && changed_) {
    ready |= event::kPeerChanged;
  }
  return ready;
}

// The peer wrote, read, ended or went.
void InternalIo::onPeer() {
  changed_ = true;
  wake();
}

// In halves, so that a slow reader does not make the writer come back for each byte.
bool InternalIo::takesMore() const {
  return connecting_ || peer_ == nullptr || peer_->inbox_.size() <= bytes_max_ / 2;
}

IoResult InternalIo::open() {
  if (peer_ == nullptr) {
    return {IoStatus::kReset};
  }
  connecting_ = false;
  return {IoStatus::kOk};
}

IoResult InternalIo::nothingToRead() const {
  return {reset_ ? IoStatus::kReset : ended_ ? IoStatus::kEnd : IoStatus::kOk};
}

IoResult InternalIo::peek(absl::Span<char> into) {
  if (inbox_.empty()) {
    return nothingToRead();
  }
  const std::string front = inbox_.peek(into.size());
  std::memcpy(into.data(), front.data(), front.size());
  return {IoStatus::kOk, front.size()};
}

IoResult InternalIo::read(absl::Span<char> into) {
  if (inbox_.empty()) {
    return nothingToRead();
  }
  size_t copied = 0;
  while (copied < into.size() && !inbox_.empty()) {
    const absl::string_view front = inbox_.front().substr(0, into.size() - copied);
    std::memcpy(into.data() + copied, front.data(), front.size());
    copied += front.size();
    inbox_.drain(front.size());
  }
  if (peer_ != nullptr) {
    peer_->wake();
  }
  wake();
  return {IoStatus::kOk, copied};
}

IoResult InternalIo::write(absl::Span<const iovec> pieces) {
  if (peer_ == nullptr) {
    return {IoStatus::kReset};
  }
  const size_t room = bytes_max_ - std::min(bytes_max_, peer_->inbox_.size());
  size_t sent = 0;
  for (const iovec& piece : pieces) {
    const size_t bytes = std::min(room - sent, piece.iov_len);
    peer_->inbox_.append(absl::string_view(static_cast<const char*>(piece.iov_base), bytes));
    sent += bytes;
  }
  if (sent > 0) {
    peer_->onPeer();
  }
  return {IoStatus::kOk, sent};
}

void InternalIo::shutdownWrite() {
  if (peer_ != nullptr) {
    peer_->ended_ = true;
    peer_->onPeer();
  }
}

void InternalIo::close(bool reset) {
  unlink();
  read_interest_ = FdEvents::ReadInterest::kNone;
  write_wanted_ = false;
  const bool unread = !inbox_.empty();
  inbox_.clear();
  InternalIo* const peer = std::exchange(peer_, nullptr);
  if (peer != nullptr) {
    peer->peer_ = nullptr;
    peer->ended_ = true;
    peer->reset_ = reset || unread;
    peer->onPeer();
  }
}

std::string InternalIo::failureReason() const {
  return connecting_ && peer_ == nullptr ? "delayed connect error: Invalid argument"
         : reset_                        ? errnoText(ECONNRESET)
                                         : "";
}

} // namespace culvert::net
