// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "source/event/loop.h"
#include "source/net/inbox_io.h"

namespace culvert::net {

// One end of a connection that stays inside the process: what one end writes the other reads. No
// descriptor and no system call; bytes that wait are bounded, and an idle one holds none. Behaves
// as a socket does: closing with unread bytes resets the peer. Threads: the loop's, for both ends.
// Lifetime: owned by its connection; either end may go first.
class InternalIo final : public InboxIo<AcceptedIo> {
public:
  using Pair = std::pair<std::unique_ptr<InternalIo>, std::unique_ptr<InternalIo>>;

  // The end that connects, which still has to be opened, and the one that is accepted. `bytes_max`
  // is what waits in each direction at most.
  static Pair makePair(event::Loop& loop, size_t bytes_max, Address client, Address server);
  ~InternalIo() override;

  IoResult open() override;
  IoResult write(absl::Span<const iovec> pieces) override;
  void shutdownWrite() override;
  void close(bool reset) override;
  std::string failureReason() const override;
  Address localAddress() const override { return address_; }
  IoResult peek(absl::Span<char> into) override;
  bool peerEnded() const override { return ended_; }

private:
  InternalIo(event::Loop& loop, size_t bytes_max, Address address, bool connecting);

  bool takesMore() const override;
  void onTaken(size_t bytes) override;

  InternalIo* peer_ = nullptr; // Null when one of the two is closed.
  const size_t bytes_max_;
  const Address address_;
  bool connecting_;
};

} // namespace culvert::net
