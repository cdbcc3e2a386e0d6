// SPDX-License-Identifier: Apache-2.0
// What the admin page sees of the server and does to it.
#include <algorithm>

#include "absl/strings/str_split.h"
#include "envoy/admin/v3/config_dump.pb.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "source/access_log/file_manager.h"
#include "source/base/log.h"
#include "source/config/tls/secrets.h"
#include "source/server/admin/config_dump.h"
#include "source/server/cluster_discovery.h"
#include "source/server/init_dump.h"
#include "source/server/listener_discovery.h"
#include "source/server/server.h"
#include "source/tls/contexts.h"
#include "source/upstream/cluster_manager.h"

namespace culvert::server {
namespace {

HostView viewOf(const upstream::Host& host) {
  const auto load = [](const auto& value) { return value.load(std::memory_order_relaxed); };
  const upstream::HostState& state = host.state();
  HostView view;
  view.address = host.address();
  view.hostname = host.description()->hostname;
  view.region = host.locality().region;
  view.zone = host.locality().zone;
  view.sub_zone = host.locality().sub_zone;
  view.weight = host.weight();
  view.priority = host.priority();
  view.canary = host.canary();
  if (const std::string flags = host.healthFlagsText(); flags != "healthy") {
    for (absl::string_view flag : absl::StrSplit(flags, '/', absl::SkipEmpty())) {
      view.unhealthy_flags.push_back("/" + std::string(flag));
    }
  }
  view.cx_active = load(state.cx_active);
  view.cx_connect_fail = load(state.cx_connect_fail);
  view.cx_total = load(state.cx_total);
  view.rq_active = load(state.rq_active);
  view.rq_error = load(state.rq_error);
  view.rq_pending_active = load(state.rq_pending_active);
  view.rq_success = load(state.rq_success);
  view.rq_timeout = load(state.rq_timeout);
  view.rq_total = load(state.rq_total);
  return view;
}

ClusterView::Thresholds viewOf(const upstream::BreakerThresholds& thresholds) {
  return {thresholds.max_connections, thresholds.max_pending_requests, thresholds.max_requests,
          thresholds.max_retries};
}

ClusterView::SuccessRates viewOf(const upstream::OutlierDetector::Averages& averages) {
  return {averages.success_rate.value_or(-1),
          averages.success_rate_ejection_threshold.value_or(-1)};
}

ClusterView viewOf(const upstream::Cluster& cluster) {
  const upstream::ClusterConfig& config = cluster.info()->config;
  ClusterView view;
  view.name = config.name;
  view.observability_name = config.statName();
  view.added_via_api = cluster.addedViaApi();
  view.default_priority = viewOf(config.breakers.normal);
  view.high_priority = viewOf(config.breakers.high);
  const upstream::OutlierDetector* const outliers = cluster.outliers();
  view.outlier_detection = outliers != nullptr;
  if (outliers != nullptr) {
    view.success_rates = viewOf(outliers->averages());
    view.local_origin_success_rates = viewOf(outliers->localOriginAverages());
  }
  for (const upstream::HostPtr& host : cluster.hosts()) {
    view.hosts.push_back(viewOf(*host));
    if (outliers != nullptr) {
      const upstream::OutlierDetector::Rates rates = outliers->ratesOf(*host);
      view.hosts.back().success_rate = rates.success.value_or(-1);
      view.hosts.back().local_origin_success_rate = rates.local_origin_success.value_or(-1);
    }
  }
  return view;
}

DynamicResource resourceOf(const upstream::Cluster& cluster) {
  const upstream::ClusterConfig& config = cluster.info()->config;
  return {config.name, config.version, config.source.get(), cluster.lastUpdated(), ""};
}

// Those that LDS brought.
std::vector<DynamicResource> resourcesOf(const std::vector<ListenerManager::Info>& listeners) {
  std::vector<DynamicResource> resources;
  for (const ListenerManager::Info& info : listeners) {
    const ListenerConfig& config = info.listener.config();
    if (config.source != nullptr) {
      resources.push_back({config.name, config.version, config.source.get(), info.updated, ""});
    }
  }
  return resources;
}

} // namespace

NodeView Server::node() const {
  const auto& node = bootstrap_->node();
  return {node.id(), node.cluster(), node.locality().region(), node.locality().zone(),
          node.locality().sub_zone()};
}

std::vector<ListenerView> Server::listeners() const {
  std::vector<ListenerView> views;
  for (const ListenerManager::Info& info : listeners_->list()) {
    views.push_back({info.listener.config().name, info.addresses, info.drain_remaining});
  }
  return views;
}

std::vector<ClusterView> Server::clusters() const {
  std::vector<ClusterView> views;
  for (const upstream::Cluster* cluster : clusters_->clusters()) {
    views.push_back(viewOf(*cluster));
  }
  return views;
}

DynamicResources Server::dynamicResources() const {
  DynamicResources dynamic;
  if (cluster_discovery_ != nullptr) {
    dynamic.clusters_version = cluster_discovery_->version();
    for (const upstream::Cluster* cluster : clusters_->clusters()) {
      if (cluster->addedViaApi()) {
        dynamic.active_clusters.push_back(resourceOf(*cluster));
      }
    }
    for (const upstream::Cluster* cluster : clusters_->warmingClusters()) {
      dynamic.warming_clusters.push_back(resourceOf(*cluster));
    }
  }
  if (listener_discovery_ != nullptr) {
    dynamic.listeners_version = listener_discovery_->version();
    dynamic.active_listeners = resourcesOf(listeners_->list());
    dynamic.draining_listeners = resourcesOf(listeners_->draining());
    for (const auto& [name, refused] : listener_discovery_->refused()) {
      dynamic.refused_listeners.push_back(
          {name, "", refused.listener.get(), refused.at, refused.details});
    }
  }
  return dynamic;
}

absl::StatusOr<std::string> Server::configDump(const ConfigDumpQuery& query) const {
  envoy::admin::v3::SecretsConfigDump secrets;
  secrets_->dump(loaded_, secrets);
  return server::configDump({*bootstrap_, loaded_, clusters(), dynamicResources(), secrets}, query);
}

void Server::setHealthy(bool healthy) {
  if (state_ == State::kLive || state_ == State::kDraining) {
    state_ = healthy ? State::kLive : State::kDraining;
    listeners_->setUnhealthy(!healthy);
  }
}

// The longest: when it is over there is nothing to wait for any more.
std::optional<base::Duration> Server::drainRemaining() const {
  std::optional<base::Duration> longest;
  for (const ListenerView& listener : listeners()) {
    longest = std::max(longest, listener.drain_remaining);
  }
  if (terminating_) {
    longest = std::max(base::Duration(0), drain_deadline_ - clock_.now());
  }
  return longest;
}

void Server::refreshStats() {
  server_stats_->update(state_, uptime(), cap_->open(),
                        restart_ == nullptr ? 0 : restart_->parentConnections());
  log_files_->collectStats();
}

std::vector<CertificatesView> Server::certificates() const {
  std::vector<CertificatesView> views;
  for (const auto& context : tls_->contexts()) {
    CertificatesView& view = views.emplace_back();
    for (const auto& listed : context->certificates()) {
      view.certificates.push_back({listed.path, listed.facts});
    }
    for (const auto& listed : context->authorities()) {
      view.authorities.push_back({listed.path, listed.facts});
    }
  }
  return views;
}

std::vector<UnreadyView> Server::unready() const {
  std::vector<UnreadyView> views = unreadyClusters(*clusters_);
  if (state_ == State::kPreInitializing) {
    for (UnreadyView& view : unreadyListeners(*bootstrap_)) {
      views.push_back(std::move(view));
    }
  }
  return views;
}

// Histograms are as of the last flush, unless the operator wants each look to be one.
void Server::beforeStats() {
  if (bootstrap_->stats_flush_on_admin()) {
    flusher_->flushAndWait();
  } else {
    refreshStats();
  }
}

void Server::drainListeners(const DrainQuery& query) {
  const auto which = [inbound_only = query.inbound_only](const ListenerConfig& listener) {
    return !inbound_only || listener.traffic_direction == TrafficDirection::kInbound;
  };
  listeners_->beginDrain(which);
  if (query.skip_exit) {
    return; // Only connections are told; sockets stay.
  }
  const auto stop = [this, which] { listeners_->stopListening(which); };
  if (!query.graceful) {
    stop();
    return;
  }
  graceful_stops_.push_back(stop);
  if (!graceful_timer_.armed()) {
    graceful_timer_.arm(std::chrono::seconds(options_.drain_time_s));
  }
}

void Server::onGracefulStop() {
  for (const auto& stop : std::exchange(graceful_stops_, {})) {
    stop();
  }
}

void Server::reopenLogs() {
  log_files_->reopenAll();
  base::log::reopen();
}

} // namespace culvert::server
