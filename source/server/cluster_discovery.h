// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "source/config/subscription.h"
#include "source/server/subscriptions.h"
#include "source/upstream/cluster_manager.h"
#include "source/upstream/cluster_proto.h"

namespace culvert::server {

// CDS: keeps the clusters that do not come from the bootstrap as the source has them. Statistics
// cluster_manager.cds.*.
// Threads: main. Lifetime: within that of what it is given.
class ClusterDiscovery final : private config::Subscriber {
public:
  ClusterDiscovery(upstream::ClusterManager& clusters, const upstream::ClusterProtoContext& context,
                   Subscriptions& subscriptions, stats::Scope& root);

  // Errors: begin with a field of `source`.
  absl::Status open(const envoy::config::core::v3::ConfigSource& source);
  // Calls back once the first answer has been dealt with, good or bad.
  void start(std::function<void()> answered) { subscription_->start(std::move(answered)); }

  // Of the last update that was taken.
  const std::string& version() const { return version_; }

private:
  struct Counts {
    size_t changed = 0;
    size_t same = 0;
    size_t removed = 0;
  };

  void onUpdate(const envoy::service::discovery::v3::DiscoveryResponse& response,
                config::Problems& problems) override;
  absl::StatusOr<bool> take(const envoy::config::cluster::v3::Cluster& proto,
                            const std::string& version);
  void removeOthers(const std::set<std::string>& names, Counts& counts);

  upstream::ClusterManager& clusters_;
  const upstream::ClusterProtoContext context_;
  Subscriptions& subscriptions_;
  const std::unique_ptr<stats::Scope> scope_;
  config::SubscriptionStats stats_;
  stats::Counter& config_reload_;
  stats::Gauge& config_reload_time_ms_;
  std::unique_ptr<config::Subscription> subscription_;
  std::set<std::string> names_; // Of the clusters that are there by this.
  std::string version_;
};

} // namespace culvert::server
