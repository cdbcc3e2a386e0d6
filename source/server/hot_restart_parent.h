// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "source/event/fd_events.h"
#include "source/event/loop.h"
#include "source/net/address.h"
#include "source/net/socket.h"
#include "source/server/hot_restart_channel.h"
#include "source/server/options.h"
#include "source/stats/store.h"

namespace culvert::server::hot_restart {
class Answer;
class Request;
} // namespace culvert::server::hot_restart

namespace culvert::server {

// The process of the epoch before, as its child sees it: gives its listening sockets, then drains,
// tells what it still counts, and ends.
// Threads: main. Until drain() calls wait for the parent, for seconds at most.
class ParentProcess {
public:
  // Errors: there is none, it is of another user or version, or it cannot be followed now.
  static absl::StatusOr<std::unique_ptr<ParentProcess>>
  connect(event::Loop& main, stats::Store& store, const Options& options);
  ~ParentProcess();

  uint64_t generation() const { return generation_; }
  base::Instant firstStart() const { return first_start_; }

  // Those it listens with at this very address; none when it does not, or has begun to drain.
  std::vector<net::Fd> sockets(const net::Address& address) { return ask(address, false); }
  std::vector<net::Fd> adminSocket(const net::Address& address) { return ask(address, true); }

  // It stops answering at its admin page. Until drain() it would go on if this process ended.
  void takeAdmin();
  // It stops accepting, and ends when the time of --parent-shutdown-time-s is over.
  void drain();
  // It ends now.
  void terminate();

  // How many connections it still has.
  uint64_t connections() const { return connections_; }

private:
  ParentProcess(event::Loop& main, stats::Store& store, const Options& options,
                RestartChannel channel);

  absl::Status greet();
  absl::StatusOr<hot_restart::Answer> roundTrip(const hot_restart::Request& request,
                                                std::vector<net::Fd>& descriptors);
  std::vector<net::Fd> ask(const net::Address& address, bool admin);
  void tell(const hot_restart::Request& request);
  void onReady(uint32_t readiness);
  void onShutdownTime();

  stats::Store& store_;
  const Options& options_;
  RestartChannel channel_;
  event::FdEvents events_;
  event::Timer shutdown_timer_;
  uint64_t generation_ = 0;
  base::Instant first_start_;
  uint64_t connections_ = 0;
  bool gone_ = false;
  bool draining_ = false;
};

} // namespace culvert::server
