// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "source/base/random.h"
#include "source/event/loop.h"
#include "source/net/socket.h"
#include "source/server/listen_sockets.h"
#include "source/server/listener.h"
#include "source/upstream/upstream.h"

namespace culvert::server {

class WorkerListener;

// What all workers share: how many connections the process has, and may have.
// Threads: any.
class ConnectionCap {
public:
  // `fixed`, the overload manager's, counts instead of the runtime's.
  explicit ConnectionCap(runtime::Watched<uint64_t> limit,
                         std::optional<uint64_t> fixed = std::nullopt)
      : limit_(std::move(limit)), fixed_(fixed) {}

  bool tryAdd() {
    const uint64_t limit = fixed_.has_value() ? *fixed_ : limit_.get();
    if (open_.fetch_add(1, std::memory_order_relaxed) < limit) {
      return true;
    }
    remove();
    return false;
  }
  void add() { open_.fetch_add(1, std::memory_order_relaxed); } // Whatever the limit.
  void remove() { open_.fetch_sub(1, std::memory_order_relaxed); }
  uint64_t open() const { return open_.load(std::memory_order_relaxed); }

  // Which share of new connections is turned away because the process runs short, 0 to 1.
  void setRejected(double share) {
    rejected_of_scale_.store(static_cast<uint32_t>(share * kScale), std::memory_order_relaxed);
  }
  bool rejectsNow(base::Random& random) const {
    const uint32_t rejected = rejected_of_scale_.load(std::memory_order_relaxed);
    return rejected > 0 && random.below(kScale) < rejected;
  }

private:
  static constexpr uint32_t kScale = 10'000;

  const runtime::Watched<uint64_t> limit_;
  const std::optional<uint64_t> fixed_;
  std::atomic<uint32_t> rejected_of_scale_{0};
  std::atomic<uint64_t> open_{0};
};

// One data thread: a loop, its view of the clusters, and the listeners that it accepts for.
// Threads: its public calls are main's; they post to the worker. Lifetime: owned by the server,
// destroyed after stop().
class Worker {
public:
  Worker(uint32_t index, const base::Clock& clock, ConnectionCap& cap);
  ~Worker();

  uint32_t index() const { return index_; }
  event::Loop& loop() { return loop_; }

  // Before start(): where its connections find clusters.
  void setClusters(std::unique_ptr<upstream::ThreadClusters> clusters);
  upstream::ThreadClusters& clusters() { return *clusters_; }
  // With exact balance a connection may be handed to one of these.
  void setPeers(const std::vector<std::unique_ptr<Worker>>& peers);

  // Runs the thread.
  void start();
  // Closes all connections, ends the thread and waits for it.
  void stop();

  // Accepts on `sockets`.
  void addListener(std::shared_ptr<Listener> listener, std::vector<ListenSocket> sockets);
  // As addListener(), for one that takes the place of `old`, and with it those of its sockets that
  // are bound to `inherited`: no connection that waits in them is lost. Those of `old` go on.
  void replaceListener(std::shared_ptr<Listener> old, std::shared_ptr<Listener> listener,
                       std::vector<ListenSocket> sockets, std::vector<net::Address> inherited);
  // Whether listeners accept, but for those that bypass the overload manager.
  void setAccepting(bool accepting);
  // Closes the listening sockets; connections go on.
  void stopListening(std::shared_ptr<Listener> listener);
  // Closes the listener's connections and forgets it.
  void removeListener(std::shared_ptr<Listener> listener, net::CloseReason reason);
  // Closes its connections that go through one of `chains`.
  void closeChains(std::shared_ptr<Listener> listener, std::vector<const FilterChain*> chains,
                   net::CloseReason reason);

private:
  friend class WorkerListener;

  void onWorker(std::function<void()> work);
  void take(std::unique_ptr<WorkerListener> listener);
  void forgetIfUnused(const WorkerListener& listener);
  WorkerListener* find(const Listener& listener);
  // The listener that `address` belongs to: one at that very address, else one at its port of any
  // address. Null when there is none.
  WorkerListener* findByAddress(const net::Address& address);
  void handOver(const std::shared_ptr<Listener>& listener, uint32_t worker, net::Fd fd,
                net::Address peer);
  void run();

  const uint32_t index_;
  ConnectionCap& cap_;
  event::Loop loop_;
  std::unique_ptr<upstream::ThreadClusters> clusters_;
  std::vector<Worker*> peers_;
  base::Random random_;
  bool accepting_ = true;
  std::vector<std::unique_ptr<WorkerListener>> listeners_; // The worker's.
  std::thread thread_;
};

} // namespace culvert::server
