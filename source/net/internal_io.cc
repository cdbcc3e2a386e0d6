// SPDX-License-Identifier: Apache-2.0
#include "source/net/internal_io.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "source/net/socket.h"

namespace culvert::net {

InternalIo::Pair InternalIo::makePair(event::Loop& loop, size_t bytes_max, Address client,
                                      Address server) {
  std::unique_ptr<InternalIo> connects(new InternalIo(loop, bytes_max, std::move(client), true));
  std::unique_ptr<InternalIo> accepted(new InternalIo(loop, bytes_max, std::move(server), false));
  connects->peer_ = accepted.get();
  accepted->peer_ = connects.get();
  return {std::move(connects), std::move(accepted)};
}

InternalIo::InternalIo(event::Loop& loop, size_t bytes_max, Address address, bool connecting)
    : InboxIo(loop), bytes_max_(bytes_max), address_(std::move(address)), connecting_(connecting) {}

InternalIo::~InternalIo() { close(false); }

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

IoResult InternalIo::peek(absl::Span<char> into) {
  if (inbox_.empty()) {
    return nothingToRead();
  }
  const std::string front = inbox_.peek(into.size());
  std::memcpy(into.data(), front.data(), front.size());
  return {IoStatus::kOk, front.size()};
}

void InternalIo::onTaken(size_t) {
  if (peer_ != nullptr) {
    peer_->wake();
  }
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
  silence();
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
