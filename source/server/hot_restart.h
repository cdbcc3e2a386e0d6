// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "source/event/loop.h"
#include "source/net/socket.h"
#include "source/server/hot_restart_child.h"
#include "source/server/hot_restart_parent.h"
#include "source/server/options.h"
#include "source/stats/store.h"

namespace culvert::server {

class Admin;
class ListenerManager;

// How processes of one base id follow one another without refusing a connection: this one takes the
// sockets of its parent over, and gives them to its child (docs/hot_restart.md).
// Threads: main. Lifetime: the server's; what it is given outlives it.
class HotRestart final : private RestartedServer {
public:
  struct Process {
    const Options& options;
    event::Loop& main;
    base::Instant start;
    std::function<uint64_t()> connections;
    std::function<void()> shut_down;
  };

  // `socket`: from claimBaseId(); without one nobody follows this process.
  HotRestart(Process process, stats::Store& store, net::Fd socket);
  ~HotRestart();

  // Finds the parent, if the epoch says that there is one. Errors: begin with "--restart-epoch".
  absl::Status join();
  // Before any listener is added.
  void attach(ListenerManager& listeners);
  // Starts the admin page, at the parent's socket if it has one of the same address.
  absl::Status start(Admin& admin);
  // The configuration is good: from now on this process answers.
  void onConfigured();
  // Connections are accepted: the parent drains, and a child may come.
  void onLive();
  // No child may come any more.
  void onStopping() { live_ = false; }
  // Every connection is over: the last word to the child.
  void onStopped();

  uint64_t generation() const { return generation_; }
  base::Instant firstStart() const { return first_start_; }
  uint64_t parentConnections() const { return parent_ == nullptr ? 0 : parent_->connections(); }

private:
  std::vector<int> listeningSockets(const std::string& address) const override;
  std::vector<int> adminSocket(const std::string& address) const override;
  void pauseAdmin(bool paused) override;
  void drainForChild(base::Duration shutdown_time) override;
  void endForChild() override;
  bool mayBeFollowed() const override { return live_; }
  uint64_t connections() const override { return process_.connections(); }

  const Process process_;
  stats::Store& store_;
  net::Fd socket_;
  ListenerManager* listeners_ = nullptr;
  Admin* admin_ = nullptr;
  std::unique_ptr<ParentProcess> parent_;
  std::unique_ptr<ChildProcess> child_;
  event::Timer end_timer_; // Should the child not say when.
  uint64_t generation_ = 1;
  base::Instant first_start_;
  bool live_ = false;
};

} // namespace culvert::server
