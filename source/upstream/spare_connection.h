// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "source/base/clock.h"
#include "source/event/loop.h"
#include "source/event/timer_heap.h"
#include "source/net/io.h"
#include "source/upstream/upstream.h"

namespace culvert::upstream {

class HostPool;

// A connection of a pool that nobody has yet: it opens, then it is kept open, unread, until
// somebody takes it, the host ends it, or nobody wanted it for too long. Counted as a connection of
// its cluster until end(), or until it is taken. Threads: its worker's. Lifetime: its pool's;
// destroy through Loop::deferDelete.
class SpareConnection final : public event::Deferred {
public:
  // The circuit breaker for connections has been taken. `local_failure`: it is known already that
  // it fails, and that the host has no part in it.
  SpareConnection(HostPool& pool, std::unique_ptr<net::Io> io, bool local_failure);
  ~SpareConnection() override;

  void start();
  base::Instant started() const { return start_; }
  std::string failureReason() const { return io_->failureReason(); }

  // Where its pool keeps it.
  size_t place() const { return place_; }
  void setPlace(size_t place) { place_ = place; }

  // It is open, and nobody wants it now.
  void keep();
  // It is taken, and counted by who took it from here on.
  std::unique_ptr<net::Io> release();
  void end(bool by_peer);

private:
  void onReady(uint32_t readiness);
  void onOpening();
  bool endedByPeer();
  void onTimer();

  HostPool& pool_;
  event::Loop& loop_;
  std::unique_ptr<net::Io> io_; // Null once taken.
  event::Timer timer_;          // connect_timeout, then the idle time.
  const base::Instant start_;
  size_t place_ = 0;
  ConnectFailure failure_; // Should it fail.
  bool connected_ = false;
  bool ended_ = false;
};

} // namespace culvert::upstream
