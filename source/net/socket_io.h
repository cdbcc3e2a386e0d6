// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <string>

#include "source/net/io.h"
#include "source/net/socket.h"

namespace culvert::net {

// The raw_buffer transport: a TCP or unix stream socket as it is. Threads: the loop's.
class SocketIo final : public AcceptedIo {
public:
  // `connecting`: the socket has begun to connect; otherwise it was accepted.
  SocketIo(event::Loop& loop, Fd fd, bool connecting);
  ~SocketIo() override;

  void setReadyCallback(ReadyCallback callback) override { events_.setCallback(callback); }
  void setRead(event::FdEvents::ReadInterest interest) override { events_.setRead(interest); }
  void setWrite(bool wanted) override;
  void activate(uint32_t readiness) override { events_.activate(readiness); }
  IoResult open() override;
  IoResult read(absl::Span<char> into) override;
  IoResult write(absl::Span<const iovec> pieces) override;
  void shutdownWrite() override;
  void close(bool reset) override;
  bool peerReset() override;
  int plainFd() const override { return fd_.get(); }
  std::string failureReason() const override;
  Address localAddress() const override { return Address::localOf(fd_.get()); }
  IoResult peek(absl::Span<char> into) override { return receive(into, MSG_PEEK); }
  bool peerEnded() const override;

private:
  bool connected() const;
  IoResult receive(absl::Span<char> into, int flags);

  Fd fd_;
  uint16_t error_ = 0; // The errno of what failed.
  bool connecting_;
  event::FdEvents events_;
};

} // namespace culvert::net
