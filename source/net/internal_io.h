// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "source/event/loop.h"
#include "source/net/buffer.h"
#include "source/net/io.h"

namespace culvert::net {

// One end of a connection that stays inside the process: what one end writes the other reads. No
// descriptor and no system call; bytes that wait are bounded, and an idle one holds none. Behaves
// as a socket does: closing with unread bytes resets the peer. Threads: the loop's, for both ends.
// Lifetime: owned by its connection; either end may go first.
class InternalIo final : public AcceptedIo, private event::Ready {
public:
  using Pair = std::pair<std::unique_ptr<InternalIo>, std::unique_ptr<InternalIo>>;

  // The end that connects, which still has to be opened, and the one that is accepted. `bytes_max`
  // is what waits in each direction at most.
  static Pair makePair(event::Loop& loop, size_t bytes_max, Address client, Address server);
  ~InternalIo() override;

  void setReadyCallback(ReadyCallback callback) override { callback_ = callback; }
  void setRead(event::FdEvents::ReadInterest interest) override;
  void setWrite(bool wanted) override;
  void activate(uint32_t readiness) override;
  IoResult open() override;
  IoResult read(absl::Span<char> into) override;
  IoResult write(absl::Span<const iovec> pieces) override;
  void shutdownWrite() override;
  void close(bool reset) override;
  bool peerReset() override { return reset_; }
  std::string failureReason() const override;
  Address localAddress() const override { return address_; }
  IoResult peek(absl::Span<char> into) override;
  bool peerEnded() const override { return ended_; }

private:
  InternalIo(event::Loop& loop, size_t bytes_max, Address address, bool connecting);

  void onReady() override;
  void wake();
  void onPeer();
  uint32_t readiness() const;
  bool takesMore() const;
  IoResult nothingToRead() const;

  event::Loop& loop_;
  InternalIo* peer_ = nullptr; // Null when one of the two is closed.
  ReadyCallback callback_;
  Buffer inbox_; // From the peer.
  const size_t bytes_max_;
  const Address address_;
  event::FdEvents::ReadInterest read_interest_ = event::FdEvents::ReadInterest::kNone;
  uint8_t activated_ = 0;
  bool write_wanted_ = false;
  bool connecting_;
  bool ended_ = false; // The peer writes no more.
  bool reset_ = false;
  bool changed_ = false; // Since it was last reported: for ReadInterest::kPeer.
};

} // namespace culvert::net
