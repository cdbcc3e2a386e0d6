// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "absl/container/flat_hash_map.h"
#include "source/event/timer_heap.h"
#include "source/filter_api/session.h"
#include "source/stats/stat.h"

namespace culvert::server {

// Ends sessions whose handshake takes longer than transport_socket_connect_timeout of their chain.
// Threads: the worker's. Lifetime: outlives the sessions in it.
class HandshakeDeadlines {
public:
  explicit HandshakeDeadlines(stats::Counter& timeouts) : timeouts_(timeouts) {}

  void add(Session& session, base::Duration timeout) {
    auto deadline = std::make_unique<Deadline>(*this, session);
    deadline->timer.arm(timeout);
    deadlines_[&session] = std::move(deadline);
  }
  // It is over; also for those that never were in it.
  void remove(Session& session) {
    if (!deadlines_.empty()) {
      deadlines_.erase(&session);
    }
  }

private:
  struct Deadline {
    Deadline(HandshakeDeadlines& deadlines, Session& late)
        : owner(deadlines), session(late),
          timer(late.loop(), event::Timer::Callback::to<&Deadline::onTimer>(this)) {}
    void onTimer() { owner.expire(session); }

    HandshakeDeadlines& owner;
    Session& session;
    event::Timer timer;
  };

  void expire(Session& session) {
    const std::unique_ptr<Deadline> keep = std::move(deadlines_[&session]);
    deadlines_.erase(&session);
    if (session.transport().open()) {
      return;
    }
    timeouts_.add();
    session.info().termination_details = "transport socket timeout was reached";
    session.close(net::CloseReason::of(net::CloseCode::kTransportTimeout), net::CloseMode::kNow);
  }

  stats::Counter& timeouts_;
  absl::flat_hash_map<Session*, std::unique_ptr<Deadline>> deadlines_;
};

} // namespace culvert::server
