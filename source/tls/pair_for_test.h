// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "source/base/check.h"
#include "source/base/clock.h"
#include "source/event/loop.h"
#include "source/net/connection.h"
#include "source/net/socket_io.h"

namespace culvert::tls {

// One end of a connection, and all that was heard of it.
struct EndForTest final : net::ConnectionHandler {
  void start(event::Loop& loop, std::unique_ptr<net::Io> io) {
    info = io->tlsInfo();
    connection = std::make_unique<net::Connection>(loop, std::move(io), net::nextConnectionId(),
                                                   /*opening=*/true);
    connection->start(*this);
    connection->resumeReading();
  }
  void write(absl::string_view bytes, bool end = false) {
    net::Buffer data = net::Buffer::borrow(bytes);
    connection->write(data, end);
  }
  std::string failure() const { return connection->io().failureReason(); }

  void onConnected() override { connected = true; }
  void onData(net::Buffer& data, bool end) override {
    received += data.toString();
    data.clear();
    ended |= end;
  }
  void onWriteBlocked(bool now) override { blocked = now; }
  void onClosed(const net::CloseReason& why) override {
    closed = true;
    reason = why;
  }

  std::unique_ptr<net::Connection> connection;
  std::shared_ptr<const net::TlsInfo> info;
  std::string received;
  net::CloseReason reason;
  bool connected = false;
  bool ended = false;
  bool blocked = false;
  bool closed = false;
};

// Two sockets on one loop. Threads: the test's.
class PairForTest {
public:
  PairForTest() { renew(); }
  event::Loop& loop() { return loop_; }

  void renew() {
    int fds[2];
    CULVERT_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    sockets_[0] = net::Fd(fds[0]);
    sockets_[1] = net::Fd(fds[1]);
  }
  // Each of both once.
  net::Fd take(int which) { return std::move(sockets_[which]); }
  std::unique_ptr<net::Io> io(int which) {
    return std::make_unique<net::SocketIo>(loop_, take(which), /*connecting=*/false);
  }

  template <class Condition> bool until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) {
        return false;
      }
      loop_.runOnce(false);
    }
    return true;
  }

private:
  base::SystemClock clock_;
  event::Loop loop_{"test", clock_};
  net::Fd sockets_[2];
};

} // namespace culvert::tls
