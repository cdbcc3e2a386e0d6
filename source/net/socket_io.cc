// SPDX-License-Identifier: Apache-2.0
#include "source/net/socket_io.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace culvert::net {
namespace {

bool wouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

} // namespace

SocketIo::SocketIo(event::Loop& loop, Fd fd, bool connecting)
    : fd_(std::move(fd)), connecting_(connecting), events_(loop, fd_.get()) {}

SocketIo::~SocketIo() = default;

void SocketIo::setWrite(bool wanted) {
  // A peer on this machine has answered by now: the kernel need not be asked to tell.
  if (wanted && connecting_ && connected()) {
    connecting_ = false;
    events_.activate(event::kWritable);
    return;
  }
  events_.setWrite(wanted);
}

bool SocketIo::connected() const {
  sockaddr_storage peer;
  socklen_t length = sizeof(peer);
  return ::getpeername(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &length) == 0;
}

IoResult SocketIo::open() {
  if (!connecting_) {
    return {IoStatus::kOk};
  }
  if (peerReset()) {
    return {IoStatus::kReset};
  }
  connecting_ = false;
  return {IoStatus::kOk};
}

IoResult SocketIo::read(absl::Span<char> into) { return receive(into, 0); }

IoResult SocketIo::receive(absl::Span<char> into, int flags) {
  const ssize_t got = ::recv(fd_.get(), into.data(), into.size(), flags);
  if (got > 0) {
    return {IoStatus::kOk, static_cast<size_t>(got)};
  }
  if (got == 0) {
    return {IoStatus::kEnd};
  }
  if (wouldBlock(errno)) {
    return {IoStatus::kOk};
  }
  error_ = static_cast<uint16_t>(errno);
  return {IoStatus::kReset};
}

IoResult SocketIo::write(absl::Span<const iovec> pieces) {
  ssize_t sent;
  if (pieces.size() == 1) {
    sent = ::send(fd_.get(), pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
  } else {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces.data());
    message.msg_iovlen = pieces.size();
    sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
  }
  if (sent >= 0) {
    return {IoStatus::kOk, static_cast<size_t>(sent)};
  }
  if (wouldBlock(errno)) {
    return {IoStatus::kOk};
  }
  error_ = static_cast<uint16_t>(errno);
  return {IoStatus::kReset};
}

void SocketIo::shutdownWrite() { ::shutdown(fd_.get(), SHUT_WR); }

void SocketIo::close(bool reset) {
  events_.setRead(event::FdEvents::ReadInterest::kNone);
  events_.setWrite(false);
  if (reset) {
    const linger now = {1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  }
  fd_ = Fd();
}

bool SocketIo::peerReset() {
  int error = 0;
  socklen_t length = sizeof(error);
  ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) {
    error_ = static_cast<uint16_t>(error);
  }
  return error != 0;
}

bool SocketIo::peerEnded() const {
  pollfd peer = {fd_.get(), POLLRDHUP, 0};
  return ::poll(&peer, 1, 0) == 1;
}

std::string SocketIo::failureReason() const {
  if (error_ == 0) {
    return {};
  }
  return absl::StrCat(connecting_ ? "delayed connect error: " : "", errnoText(error_));
}

} // namespace culvert::net
