// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "source/upstream/balancing.h"
#include "source/upstream/cluster_info.h"
#include "source/upstream/health_checker.h"
#include "source/upstream/host_source.h"
#include "source/upstream/outlier_detector.h"
#include "source/upstream/subsets.h"

namespace culvert::access_log {
class FileManager;
} // namespace culvert::access_log

namespace culvert::upstream {

// One cluster: what it was configured as, and its hosts as they are now.
// Threads: main. Lifetime: owned by the ClusterManager; workers keep only its ClusterInfo and
// hosts.
class Cluster final : private HostSourceContext, private event::Ready {
public:
  struct Events {
    std::function<void(Cluster&)> hosts_changed;
    std::function<void(Cluster&)> initialized;                 // Once.
    std::function<void(Cluster&, const HostPtr&)> host_failed; // It was healthy until now.
  };

  // What all clusters use. Lifetime: outlives them.
  struct Services {
    event::Loop& main;
    stats::Scope& stats;
    std::function<net::DnsResolver&()> resolver;
    // A value of the runtime, or `fallback` while it has none.
    std::function<uint64_t(absl::string_view key, uint64_t fallback)> runtime;
    // Where events go to; null: nowhere.
    access_log::FileManager* log_files;
    std::shared_ptr<access_log::LogFile> outlier_log;
    EndpointDiscovery discover_endpoints;
    std::function<size_t()> threads; // How many choose: workers, and main as Envoy counts.
  };

  Cluster(const Services& services, ClusterConfig config, uint64_t seed);
  ~Cluster();

  // Begins to find hosts.
  void start(Events events);

  const std::string& name() const { return info_->config.name; }
  const ClusterInfoPtr& info() const { return info_; }
  const HostSets& hostSets() const { return sets_; }
  // In the order of the configuration.
  const std::vector<HostPtr>& hosts() const { return hosts_; }
  bool initialized() const { return initialized_; }
  bool addedViaApi() const { return added_via_api_; }
  void setAddedViaApi() { added_via_api_ = true; }
  // It waits to take the place of one that serves meanwhile.
  void setReplaces() { replaces_ = true; }
  base::WallTime lastUpdated() const { return last_updated_; }

  // A choice for one worker among the hosts of now.
  std::unique_ptr<HostChooser> makeBalancer();
  // One more worker has a choice of its own.
  void countThread();
  // Null when the cluster has none.
  const OutlierDetector* outliers() const { return outliers_.get(); }

private:
  class Index;

  event::Loop& loop() override { return services_.main; }
  const ClusterConfig& config() override { return info_->config; }
  ClusterStats& stats() override { return info_->stats; }
  net::DnsResolver& resolver() override { return services_.resolver(); }
  base::Random& random() override { return random_; }
  bool setHosts(const std::vector<HostSpec>& specs) override;
  bool setAssignment(const Assignment& assignment) override;
  absl::StatusOr<std::unique_ptr<EndpointSubscription>>
  discover(const envoy::config::core::v3::ConfigSource& source, const std::string& name,
           EndpointSubscriber& subscriber) override;
  std::function<void(HostState&)> hostPreparer() override;
  void adoptHost(HostPtr host) override;
  void removeHosts(const std::function<bool(const Host&)>& which) override;
  void setInitialized() override;
  void setNothingYet() override;
  void onReady() override { publish(); }

  HostPtr keepHost(const HostSpec& spec, Index& old, bool& changed);
  HostPtr makeHost(const HostSpec& spec);
  void keepWhilePassing(Index& old, std::vector<HostPtr>& hosts);
  void startChecker();
  void onChecked(Host& host, bool changed);
  void publishSoon();
  void onHealthChanged(const Host& host);
  void finishInitialization();
  HostSets sortHosts(const std::vector<HostPtr>& hosts, bool by_locality);
  PriorityLoad spread(const HostSets& sets) const;
  void sortSubsets();
  void publish();

  const Services& services_;
  const ClusterInfoPtr info_;
  base::Random random_;
  const std::unique_ptr<BalancingPolicy> policy_;
  const base::WallTime last_updated_;
  Events events_;
  std::vector<HostPtr> hosts_;
  LocalityWeights locality_weights_;
  uint32_t overprovisioning_percent_;
  bool weighted_priority_health_;
  HostSets sets_;
  PriorityLoad load_;
  std::shared_ptr<SubsetStats> subset_stats_; // Null without subsets,
  std::unique_ptr<const Subsets> subsets_;    // as this.
  std::unique_ptr<HealthChecker> checker_;
  std::unique_ptr<OutlierDetector> outliers_;
  size_t awaited_checks_ = 0;          // Before the cluster is initialized.
  std::unique_ptr<HostSource> source_; // Made last: it may look at all the rest.
  bool initialized_ = false;
  bool added_via_api_ = false;
  bool replaces_ = false;
};

} // namespace culvert::upstream
