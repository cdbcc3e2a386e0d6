// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "source/runtime/loader.h"
#include "source/server/listen_sockets.h"
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
  // What can be said of a listener without a look at others. Errors: no chains, chains that clash.
  static absl::Status checkAlone(const ListenerConfig& config);

  struct DrainOptions {
    base::Duration time; // How long connections of what was changed or removed may go on.
    bool gradual = true; // Those that ask when to end (check_drain_close) do so one by one.
  };

  ListenerManager(event::Loop& main, stats::Scope& root, runtime::Loader& runtime, Workers& workers,
                  DrainOptions drain);
  ~ListenerManager();

  // Takes a listener on. Errors: begin with the field; in Envoy's words, a name or an address that
  // another one has, no chains, chains that clash, an address that cannot be bound. `bind` false
  // (validation): no socket is opened.
  absl::Status add(ListenerConfig config, bool bind);

  // The same for one with a `source`, which may take the place of another of its name. False:
  // nothing to do, for it is the same as before, the bootstrap's, or nothing is accepted any more.
  // Where only chains differ, connections of the others are not disturbed; otherwise all those of
  // the one before drain. Sockets of addresses that stay are kept.
  absl::StatusOr<bool> addOrUpdate(ListenerConfig config);
  // Stops accepting at once; its connections drain. False: there is none, or it is the bootstrap's.
  bool remove(absl::string_view name);

  // Where to look for listening sockets before new ones are bound: the process of before.
  using Inherit = std::function<std::vector<net::Fd>(const net::Address& address)>;
  void setInherit(Inherit inherit) { inherit_ = std::move(inherit); }
  // What listens at `address`, as text: borrowed, for the next process.
  std::vector<int> socketsAt(const std::string& address) const;

  // The workers begin to accept. Listeners added later begin at once.
  void start();

  using Which = std::function<bool(const ListenerConfig&)>;
  // Tells connections that they should end, those that ask: it begins to drain.
  void beginDrain(const Which& which);
  // The same for as long as the process is unhealthy, of listeners that heed it.
  void setUnhealthy(bool unhealthy);
  // Closes listening sockets, for good; open connections go on.
  void stopListening(const Which& which);
  // What /listeners shows: every listener, with its bound addresses.
  struct Info {
    const Listener& listener;
    const std::vector<net::Address>& addresses;
    bool listening;
    base::WallTime updated;
    std::optional<base::Duration> drain_remaining; // Nothing: it does not drain.
  };
  std::vector<Info> list() const;
  // Those of LDS that were replaced or removed, and whose connections may go on for now.
  std::vector<Info> draining() const;

  // Whether connecting to `address` would come to this listener.
  bool serves(const std::string& listener, const net::Address& address) const;

private:
  struct Entry {
    std::shared_ptr<Listener> listener;
    std::vector<net::Address> addresses; // As bound: with the port that 0 became.
    std::vector<ListenSockets> sockets;  // As long as it listens.
    std::vector<net::Address> inherited; // Those whose sockets the one before had.
    bool listening = true;
    base::WallTime updated;
    std::optional<base::Instant> drain_end; // Nothing: it does not drain.
  };
  struct Drain;

  absl::Status check(const ListenerConfig& config, const Entry* replaced) const;
  absl::StatusOr<std::unique_ptr<Entry>> make(ListenerConfig config, const Entry* replaced,
                                              bool bind);
  void replace(std::unique_ptr<Entry>& old, std::unique_ptr<Entry> entry, bool in_place);
  void drain(std::unique_ptr<Entry> entry, std::vector<FilterChainPtr> chains);
  void onDrained(Drain& drain);
  void tellChains(const std::vector<FilterChainPtr>& chains);
  void tellHealth(const ListenerConfig& config);
  Info infoOf(const Entry& entry) const;
  void updateGauges();
  absl::Status bindAll(const ListenerConfig& config, const Entry* replaced, Entry& entry);
  const ListenSockets* inheritable(const ListenerConfig& config, size_t index,
                                   const Entry* replaced) const;
  absl::StatusOr<ListenSockets> bindOne(const net::Address& address,
                                        const net::ListenOptions& options) const;
  void handToWorkers(Entry& entry, const Entry* replaced);

  event::Loop& main_;
  stats::Scope& root_;
  runtime::Loader& runtime_;
  Workers& workers_;
  const DrainOptions drain_;
  std::vector<std::unique_ptr<Entry>> entries_;
  std::vector<std::unique_ptr<Drain>> drains_;
  Inherit inherit_;
  bool started_ = false;
  bool unhealthy_ = false;
  std::vector<Which> stopped_; // For good.

  const std::unique_ptr<stats::Scope> scope_;
  stats::Counter& listener_added_;
  stats::Counter& listener_modified_;
  stats::Counter& listener_in_place_updated_;
  stats::Counter& listener_removed_;
  stats::Counter& listener_stopped_;
  stats::Counter& listener_create_success_;
  stats::Counter& listener_create_failure_;
  stats::Gauge& total_listeners_active_;
  stats::Gauge& total_listeners_draining_;
  stats::Gauge& total_filter_chains_draining_;
  stats::Gauge& workers_started_;
};

} // namespace culvert::server
