// SPDX-License-Identifier: Apache-2.0
#include "source/server/cluster_discovery.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "source/base/log.h"

namespace culvert::server {

using config::Problems;
using envoy::service::discovery::v3::DiscoveryResponse;
using ClusterProto = envoy::config::cluster::v3::Cluster;

ClusterDiscovery::ClusterDiscovery(upstream::ClusterManager& clusters,
                                   const upstream::ClusterProtoContext& context,
                                   Subscriptions& subscriptions, stats::Scope& root)
    : clusters_(clusters), context_(context), subscriptions_(subscriptions),
      scope_(root.scope("cluster_manager.cds")), stats_(*scope_),
      config_reload_(scope_->counter("config_reload")),
      config_reload_time_ms_(scope_->gauge("config_reload_time_ms")) {}

absl::Status ClusterDiscovery::open(const envoy::config::core::v3::ConfigSource& source) {
  auto made = subscriptions_.subscribe(source, stats_, *this);
  if (made.ok()) {
    subscription_ = *std::move(made);
  }
  return made.status();
}

void ClusterDiscovery::onUpdate(const DiscoveryResponse& response, Problems& problems) {
  Counts counts;
  std::set<std::string> names;
  const auto resources = config::takeResources<ClusterProto>(response, response.resources_size(),
                                                             subscriptions_.extensions(), problems);
  for (size_t i = 0; i < resources.size(); i++) {
    const std::string path = config::resourcePath(static_cast<int>(i));
    if (!names.insert(resources[i]->name()).second) {
      problems.error(absl::StrCat(path, ".name"),
                     "a cluster of this name came before in this update",
                     absl::StrCat("duplicate cluster ", resources[i]->name(), " found"));
      continue;
    }
    const auto changed = take(*resources[i], response.version_info());
    if (!changed.ok()) {
      problems.errorFrom(changed.status(), path);
      continue;
    }
    (*changed ? counts.changed : counts.same)++;
  }
  if (problems.ok()) {
    removeOthers(names, counts);
    version_ = response.version_info();
    config_reload_.add();
    config_reload_time_ms_.set(base::toMilliseconds(subscriptions_.wallNow().time_since_epoch()));
  }
  LOG(info, upstream,
      "cds: added/updated %d cluster(s) (skipped %d unmodified cluster(s)); removed %d cluster(s)",
      counts.changed, counts.same, counts.removed);
}

absl::StatusOr<bool> ClusterDiscovery::take(const ClusterProto& proto, const std::string& version) {
  auto parsed = upstream::parseCluster(proto, context_);
  if (!parsed.ok()) {
    return parsed.status();
  }
  parsed->version = version;
  auto changed = clusters_.addOrUpdate(*std::move(parsed));
  if (changed.ok()) {
    names_.insert(proto.name());
  }
  return changed;
}

void ClusterDiscovery::removeOthers(const std::set<std::string>& names, Counts& counts) {
  for (const std::string& name : names_) {
    counts.removed += !names.contains(name) && clusters_.remove(name);
  }
  names_ = names;
}

} // namespace culvert::server
