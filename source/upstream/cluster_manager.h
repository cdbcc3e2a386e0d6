// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "source/upstream/cluster.h"
#include "source/upstream/upstream.h"

namespace culvert::upstream {

// What the server gives the ClusterManager.
struct ClusterManagerOptions {
  // Where random choices start; the same seed gives the same choices.
  uint64_t seed = 0;
  // Makes what DNS clusters ask, when the first one does; null: c-ares with the system's servers.
  std::function<std::unique_ptr<net::DnsResolver>()> make_resolver;
  // A value of the runtime, or `fallback` while it has none; null: it never has.
  std::function<uint64_t(absl::string_view key, uint64_t fallback)> runtime;
  // Where files of events are opened; null: there are none. It outlives the ClusterManager.
  access_log::FileManager* log_files = nullptr;
  // Of ejections; may be null.
  std::shared_ptr<access_log::LogFile> outlier_log;
  // Where EDS clusters learn of their endpoints; null: nowhere.
  EndpointDiscovery discover_endpoints;
  // Says why a configured host must not be dialled (it is the listener that would dial it), if so.
  std::function<absl::Status(const std::string& cluster, const net::Address& host)> check_host;
};

// Owns all clusters. Publishes each cluster and its hosts, as they change, to every worker as an
// immutable snapshot; workers never ask. A replaced or removed cluster's connections go on.
// Threads: main. Lifetime: outlived by `main`, `stats` and the loops given to makeThread().
class ClusterManager {
public:
  ClusterManager(event::Loop& main, stats::Scope& stats, ClusterManagerOptions options);
  ~ClusterManager();

  // Of the bootstrap, before initialize(). Errors: a second cluster of the name; a host that
  // check_host refuses (with the path of its address in the cluster).
  absl::Status add(ClusterConfig config);

  // Begins to find hosts; calls back once every cluster has had its first answer, perhaps at once.
  void initialize(std::function<void()> done);
  bool initialized() const { return initialized_; }
  // Calls back once no cluster waits for its first answer any more, perhaps at once. One at a time.
  void whenNoneWarms(std::function<void()> done);

  // Of a management server. The new cluster takes over once it has had its first answer. False:
  // nothing to do, for it is the same as before or the bootstrap's. Errors: as add().
  absl::StatusOr<bool> addOrUpdate(ClusterConfig config);
  // False: there is none, or it is the bootstrap's.
  bool remove(absl::string_view name);

  // A worker's view, kept up to date through `worker`. To be destroyed once all that the worker's
  // connections held is gone.
  std::unique_ptr<ThreadClusters> makeThread(event::Loop& worker);

  // For admin: those in use, by name, and those that wait for their first answer.
  std::vector<const Cluster*> clusters() const;
  std::vector<const Cluster*> warmingClusters() const;
  const Cluster* find(absl::string_view name) const;

private:
  struct Worker;
  struct Stats;
  using ByName = std::map<std::string, std::unique_ptr<Cluster>, std::less<>>;

  net::DnsResolver& resolver();
  absl::Status check(const ClusterConfig& config) const;
  absl::Status checkHosts(const ClusterConfig& config) const;
  std::unique_ptr<Cluster> make(ClusterConfig config);
  void onHostsChanged(Cluster& cluster);
  void onHostFailed(Cluster& cluster, const HostPtr& host);
  void onInitialized(Cluster& cluster);
  void onBootstrapInitialized();
  void promote(Cluster& cluster);
  void tellIfNoneWarms();
  void publish(Cluster& cluster);
  void updateGauges();

  const ClusterManagerOptions options_;
  std::unique_ptr<net::DnsResolver> resolver_;
  const Cluster::Services services_;
  base::Random random_;
  std::unique_ptr<Stats> stats_;
  std::vector<std::unique_ptr<Worker>> workers_;
  ByName active_;
  ByName warming_;
  std::function<void()> on_initialized_;
  std::function<void()> on_none_warms_;
  size_t awaited_ = 0; // Clusters of the bootstrap that had no answer yet.
  bool initialized_ = false;
};

} // namespace culvert::upstream
