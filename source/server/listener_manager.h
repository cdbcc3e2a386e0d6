// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "source/runtime/loader.h"
#include "source/server/listener.h"
#include "source/server/worker.h"
#include "source/stats/store.h"

namespace culvert::server {

using Workers = std::vector<std::unique_ptr<Worker>>;

// All listeners of the server: binds them, hands them to the workers once the server is live, stops
// and removes them. Statistics listener_manager.* (envoy-compat D.4).
// Threads: main. Lifetime: owned by the server, destroyed before the workers.
class ListenerManager {
public:
  ListenerManager(event::Loop& main, stats::Scope& root, runtime::Loader& runtime,
                  Workers& workers);

  // Takes a listener on. Errors: AlreadyExists for a name that another one has; in Envoy's words,
  // an address that another one has, no chains, chains that clash, an address that cannot be
  // bound. `bind` false (validation): no socket is opened.
  absl::Status add(ListenerConfig config, bool bind);

  // The workers begin to accept. Listeners added later begin at once.
  void start();

  // Closes listening sockets; open connections go on.
  void stopListening(const std::function<bool(const Listener&)>& which);
  // Closes everything that is left of a listener.
  void remove(const std::string& name);

  // What /listeners shows: every listener, with its bound addresses.
  struct Info {
    const Listener& listener;
    const std::vector<net::Address>& addresses;
    bool listening;
  };
  std::vector<Info> list() const;

  // Whether connecting to `address` would come to this listener.
  bool serves(const std::string& listener, const net::Address& address) const;

private:
  struct Entry {
    std::shared_ptr<Listener> listener;
    std::vector<net::Address> addresses;          // As bound: with the port that 0 became.
    std::vector<std::vector<net::Fd>> worker_fds; // Of each worker, until it gets them.
    bool listening = true;
  };

  absl::Status check(const ListenerConfig& config) const;
  absl::Status bindAll(const ListenerConfig& config, Entry& entry);
  absl::Status bindOne(const net::Address& address, const net::ListenOptions& options,
                       Entry& entry);
  void handToWorkers(Entry& entry);

  event::Loop& main_;
  stats::Scope& root_;
  runtime::Loader& runtime_;
  Workers& workers_;
  std::vector<std::unique_ptr<Entry>> entries_;
  bool started_ = false;

  const std::unique_ptr<stats::Scope> scope_;
  stats::Counter& listener_added_;
  stats::Counter& listener_removed_;
  stats::Counter& listener_stopped_;
  stats::Counter& listener_create_success_;
  stats::Counter& listener_create_failure_;
  stats::Gauge& total_listeners_active_;
  stats::Gauge& workers_started_;
};

} // namespace culvert::server
