// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "source/base/check.h"
#include "source/event/loop.h"
#include "source/net/address.h"
#include "source/net/socket.h"

namespace culvert::test {

// The other end of a connection: a plain socket without a loop, which the test plays.
class Peer {
public:
  Peer() = default;
  explicit Peer(net::Fd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }

  // As much as the kernel takes; how much that was.
  size_t send(absl::string_view bytes) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    sees_reset_ = sees_reset_ || (sent < 0 && isReset(errno));
    return sent < 0 ? 0 : static_cast<size_t>(sent);
  }
  void end() { ::shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_ = net::Fd(); }
  void reset() {
    const linger now = {1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close();
  }

  // Takes at most `limit` of what has come; how much that was.
  size_t take(size_t limit = static_cast<size_t>(-1)) {
    size_t taken = 0;
    while (taken < limit && !sees_end_ && !sees_reset_) {
      char buffer[64 * 1024];
      const ssize_t got = ::recv(fd_.get(), buffer, std::min(sizeof(buffer), limit - taken), 0);
      if (got > 0) {
        received_.append(buffer, static_cast<size_t>(got));
        taken += static_cast<size_t>(got);
        continue;
      }
      sees_end_ = got == 0;
      sees_reset_ = got < 0 && errno != EAGAIN;
      break;
    }
    return taken;
  }

  // All that was taken, and how it ended.
  const std::string& received() const { return received_; }
  std::string& received() { return received_; }
  bool seesEnd() {
    take();
    return sees_end_;
  }
  bool seesReset() {
    take();
    return sees_reset_;
  }

  // A small buffer, so that whoever writes to this peer is soon refused.
  void takeSlowly() {
    const int bytes = 4096;
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
  }

private:
  // A reset is reported once: whoever sends next may hear of it before whoever reads. Of a unix
  // socket EPIPE only says that the other end is closed; what it sent can still be read.
  bool isReset(int error) const {
    int domain = 0;
    socklen_t length = sizeof(domain);
    ::getsockopt(fd_.get(), SOL_SOCKET, SO_DOMAIN, &domain, &length);
    return error == ECONNRESET || (error == EPIPE && domain != AF_UNIX);
  }

  net::Fd fd_;
  std::string received_;
  bool sees_end_ = false;
  bool sees_reset_ = false;
};

// Two connected, non-blocking sockets: of TCP over loopback, or a unix socket pair.
struct Sockets {
  net::Fd ours;
  net::Fd theirs;
};

inline Sockets unixPair() {
  int ends[2];
  CULVERT_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
  return {net::Fd(ends[0]), net::Fd(ends[1])};
}

inline net::Fd acceptFrom(int listener) {
  pollfd waiting = {listener, POLLIN, 0};
  CULVERT_CHECK(::poll(&waiting, 1, 10000) == 1);
  net::Fd fd(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  CULVERT_CHECK(fd.valid());
  return fd;
}

inline Sockets tcpPair() {
  const net::Address loopback = *net::Address::parseIp("127.0.0.1", 0);
  const net::Fd listener = *net::listenOn(loopback, {});
  net::Fd theirs = *net::connectTo(net::Address::localOf(listener.get()), {});
  net::Fd ours = acceptFrom(listener.get());
  pollfd waiting = {theirs.get(), POLLOUT, 0};
  CULVERT_CHECK(::poll(&waiting, 1, 10000) == 1);
  return {std::move(ours), std::move(theirs)};
}

// Runs turns of the loop until `done` says so; false when that takes more than half a minute.
template <class Done> bool runUntil(event::Loop& loop, Done done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    loop.runOnce(false);
  }
  return true;
}

// A few turns: enough for whatever is ready to be reported.
inline void settle(event::Loop& loop) {
  for (int turn = 0; turn < 5; turn++) {
    loop.runOnce(false);
  }
}

} // namespace culvert::test
