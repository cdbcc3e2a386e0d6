// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/event/fd_events.h"
#include "source/event/loop.h"
#include "source/net/address.h"
#include "source/net/socket.h"
#include "source/server/hot_restart_channel.h"
#include "source/stats/store.h"

namespace culvert::server::hot_restart {
class Answer;
class Request;
class Request_Hello;
class Request_Sockets;
} // namespace culvert::server::hot_restart

namespace culvert::server {

// What a child asks of its parent process.
class RestartedServer {
public:
  // Borrowed descriptors of what listens at `address` (as text); none when nothing does.
  virtual std::vector<int> listeningSockets(const std::string& address) const = 0;
  virtual std::vector<int> adminSocket(const std::string& address) const = 0;
  // The admin page: `paused` true when the child answers, false when the child is gone.
  virtual void pauseAdmin(bool paused) = 0;
  // Accept no more; end after `shutdown_time`.
  virtual void drainForChild(base::Duration shutdown_time) = 0;
  virtual void endForChild() = 0;
  // Whether a child may take over: it serves, and serves on.
  virtual bool mayBeFollowed() const = 0;
  virtual uint64_t connections() const = 0;

protected:
  ~RestartedServer() = default;
};

// The process of the next epoch, as its parent sees it. One at a time; one that ends before it has
// made this process drain leaves it as it was.
// Threads: main.
class ChildProcess {
public:
  struct Birth { // Of the first epoch, and how many there were.
    uint64_t generation = 1;
    base::Instant first_start;
  };

  // `listening`: from claimBaseId().
  ChildProcess(event::Loop& main, net::Fd listening, RestartedServer& server, stats::Store& store,
               uint32_t epoch, Birth birth);
  ~ChildProcess();

  // Tells what was counted since the last time, if the child wants to know.
  void tellStatistics();

private:
  void onConnect(uint32_t readiness);
  void onReady(uint32_t readiness);
  void onTellTimer();
  void onGone();
  void handle(const hot_restart::Request& request);
  void greet(const hot_restart::Request_Hello& hello);
  std::string whyNot(const hot_restart::Request_Hello& hello) const;
  void giveSockets(const hot_restart::Request_Sockets& wanted);
  void answer(const hot_restart::Answer& answer, absl::Span<const int> descriptors = {});
  void close();

  RestartedServer& server_;
  stats::Store& store_;
  event::Loop& main_;
  const uint32_t epoch_;
  const Birth birth_;
  const net::Fd listening_;
  event::FdEvents connects_;
  event::Timer tell_timer_;
  std::optional<RestartChannel> channel_;
  std::optional<event::FdEvents> events_; // Of the channel.
  bool greeted_ = false;
  bool took_admin_ = false;
  bool draining_ = false;
  bool tells_ = false;
  absl::flat_hash_map<std::string, uint64_t> told_; // What the child knows of each counter.
};

} // namespace culvert::server
