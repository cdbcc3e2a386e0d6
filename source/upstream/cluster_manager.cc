// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/cluster_manager.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"
#include "source/access_log/file_manager.h"
#include "source/base/log.h"
#include "source/net/dns_resolver.h"
#include "source/upstream/worker_clusters.h"

namespace culvert::upstream {
namespace {

using google::protobuf::util::MessageDifferencer;

bool sameSource(const ClusterConfig& a, const ClusterConfig& b) {
  return a.source != nullptr && b.source != nullptr &&
         MessageDifferencer::Equals(*a.source, *b.source);
}

// A worker's clusters for as long as they live, to be looked at on their loop only.
struct WorkerHandle {
  WorkerClusters* clusters;
};

// What a worker gets: its view, and the end of the handle with it.
class OwnedWorkerClusters final : public ThreadClusters {
public:
  explicit OwnedWorkerClusters(event::Loop& loop)
      : clusters_(loop), handle_(std::make_shared<WorkerHandle>(WorkerHandle{&clusters_})) {}
  ~OwnedWorkerClusters() override { handle_->clusters = nullptr; }

  ThreadCluster* find(absl::string_view name) override { return clusters_.find(name); }
  const std::shared_ptr<WorkerHandle>& handle() const { return handle_; }

private:
  WorkerClusters clusters_;
  const std::shared_ptr<WorkerHandle> handle_;
};

} // namespace

struct ClusterManager::Worker {
  event::Loop& loop;
  std::shared_ptr<WorkerHandle> handle;
  stats::Gauge& clusters_inflated;

  // Runs `work` on the worker, unless its clusters are gone by then.
  void post(std::function<void(WorkerClusters&)> work) const {
    loop.post([handle = handle, work = std::move(work)] {
      if (handle->clusters != nullptr) {
        work(*handle->clusters);
      }
    });
  }
};

struct ClusterManager::Stats {
  explicit Stats(stats::Scope& parent)
      : scope(parent.scope("cluster_manager")),
        thread_scope(parent.scope("thread_local_cluster_manager")),
        active_clusters(scope->gauge("active_clusters")),
        warming_clusters(scope->gauge("warming_clusters")),
        cluster_added(scope->counter("cluster_added")),
        cluster_modified(scope->counter("cluster_modified")),
        cluster_removed(scope->counter("cluster_removed")),
        cluster_updated(scope->counter("cluster_updated")),
        main_clusters_inflated(thread_scope->gauge("main_thread.clusters_inflated")) {
    scope->counter("cluster_updated_via_merge");
    scope->counter("update_merge_cancelled");
    scope->counter("update_out_of_merge_window");
  }

  const std::unique_ptr<stats::Scope> scope;
  const std::unique_ptr<stats::Scope> thread_scope;
  stats::Gauge& active_clusters;
  stats::Gauge& warming_clusters;
  stats::Counter& cluster_added;
  stats::Counter& cluster_modified;
  stats::Counter& cluster_removed;
  stats::Counter& cluster_updated;
  stats::Gauge& main_clusters_inflated;
};

ClusterManager::ClusterManager(event::Loop& main, stats::Scope& stats,
                               ClusterManagerOptions options)
    : options_(std::move(options)),
      services_{main,
                stats,
                [this]() -> net::DnsResolver& { return resolver(); },
                [this](absl::string_view key, uint64_t fallback) {
                  return options_.runtime ? options_.runtime(key, fallback) : fallback;
                },
                options_.log_files,
                options_.outlier_log,
                options_.discover_endpoints,
                [this] { return workers_.size() + 1; }},
      random_(options_.seed), stats_(std::make_unique<Stats>(stats)) {}

ClusterManager::~ClusterManager() = default;

net::DnsResolver& ClusterManager::resolver() {
  if (resolver_ == nullptr) {
    resolver_ = options_.make_resolver
                    ? options_.make_resolver()
                    : std::make_unique<net::CaresResolver>(services_.main, services_.stats,
                                                           std::vector<net::Address>());
  }
  return *resolver_;
}

absl::Status ClusterManager::check(const ClusterConfig& config) const {
  if (config.health_check.has_value() && options_.log_files != nullptr) {
    for (const std::string& path : config.health_check->event_logs) {
      const absl::Status status = options_.log_files->open(path).status();
      if (!status.ok()) {
        return absl::InvalidArgumentError(absl::StrCat("health_checks[0]: ", status.message()));
      }
    }
  }
  return checkHosts(config);
}

absl::Status ClusterManager::checkHosts(const ClusterConfig& config) const {
  if (!options_.check_host) {
    return absl::OkStatus();
  }
  for (size_t i = 0; i < config.endpoints.size(); ++i) {
    const std::vector<EndpointConfig>& endpoints = config.endpoints[i].endpoints;
    for (size_t j = 0; j < endpoints.size(); ++j) {
      const absl::Status status = options_.check_host(config.name, endpoints[j].address);
      if (!status.ok()) {
        return absl::InvalidArgumentError(absl::StrCat("load_assignment.endpoints[", i,
                                                       "].lb_endpoints[", j,
                                                       "].endpoint.address: ", status.message()));
      }
    }
  }
  return absl::OkStatus();
}

std::unique_ptr<Cluster> ClusterManager::make(ClusterConfig config) {
  return std::make_unique<Cluster>(services_, std::move(config), random_.next());
}

absl::Status ClusterManager::add(ClusterConfig config) {
  if (active_.contains(config.name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cluster manager: duplicate cluster '", config.name, "'"));
  }
  absl::Status status = check(config);
  if (!status.ok()) {
    return status;
  }
  std::unique_ptr<Cluster> cluster = make(std::move(config));
  stats_->cluster_added.add();
  active_.emplace(cluster->name(), std::move(cluster));
  updateGauges();
  return absl::OkStatus();
}

void ClusterManager::initialize(std::function<void()> done) {
  on_initialized_ = std::move(done);
  awaited_ = 1; // Until all have been started.
  for (const auto& [name, cluster] : active_) {
    const bool awaited = cluster->info()->config.wait_for_warm_on_init;
    awaited_ += awaited;
    cluster->start({[this](Cluster& changed) { onHostsChanged(changed); },
                    [this, awaited](Cluster&) {
                      if (awaited) {
                        onBootstrapInitialized();
                      }
                    },
                    [this](Cluster& of, const HostPtr& host) { onHostFailed(of, host); }});
  }
  onBootstrapInitialized();
}

void ClusterManager::onBootstrapInitialized() {
  if (--awaited_ > 0) {
    return;
  }
  LOG(info, upstream, "cm init: all clusters initialized");
  initialized_ = true;
  std::exchange(on_initialized_, nullptr)();
}

absl::StatusOr<bool> ClusterManager::addOrUpdate(ClusterConfig config) {
  const auto warming = warming_.find(config.name);
  const auto active = active_.find(config.name);
  if (active != active_.end() && !active->second->addedViaApi()) {
    return false;
  }
  const Cluster* const latest = warming != warming_.end() ? warming->second.get()
                                : active != active_.end() ? active->second.get()
                                                          : nullptr;
  if (latest != nullptr && sameSource(latest->info()->config, config)) {
    return false;
  }
  absl::Status status = check(config);
  if (!status.ok()) {
    return status;
  }
  (latest != nullptr ? stats_->cluster_modified : stats_->cluster_added).add();
  std::unique_ptr<Cluster> cluster = make(std::move(config));
  Cluster& added = *cluster;
  added.setAddedViaApi();
  if (active != active_.end()) {
    added.setReplaces();
  }
  warming_[added.name()] = std::move(cluster);
  updateGauges();
  added.start({[this](Cluster& changed) { onHostsChanged(changed); },
               [this](Cluster& ready) { promote(ready); },
               [this](Cluster& of, const HostPtr& host) { onHostFailed(of, host); }});
  return true;
}

// It is ready to serve: takes the place of what had its name.
void ClusterManager::promote(Cluster& cluster) {
  const auto warming = warming_.find(cluster.name());
  std::unique_ptr<Cluster> owned = std::move(warming->second);
  warming_.erase(warming);
  active_[cluster.name()] = std::move(owned);
  updateGauges();
  publish(cluster);
  tellIfNoneWarms();
}

void ClusterManager::whenNoneWarms(std::function<void()> done) {
  on_none_warms_ = std::move(done);
  tellIfNoneWarms();
}

void ClusterManager::tellIfNoneWarms() {
  const bool awaited = std::any_of(warming_.begin(), warming_.end(), [](const auto& warming) {
    return warming.second->info()->config.wait_for_warm_on_init;
  });
  if (!awaited && on_none_warms_ != nullptr) {
    std::exchange(on_none_warms_, nullptr)();
  }
}

bool ClusterManager::remove(absl::string_view name) {
  const auto active = active_.find(name);
  const auto warming = warming_.find(name);
  const bool is_active = active != active_.end() && active->second->addedViaApi();
  if (!is_active && warming == warming_.end()) {
    return false;
  }
  stats_->cluster_removed.add();
  if (warming != warming_.end()) {
    warming_.erase(warming);
    tellIfNoneWarms();
  }
  if (is_active) {
    active_.erase(active);
    for (const std::unique_ptr<Worker>& worker : workers_) {
      worker->post([name = std::string(name)](WorkerClusters& clusters) { clusters.remove(name); });
    }
  }
  updateGauges();
  return true;
}

std::unique_ptr<ThreadClusters> ClusterManager::makeThread(event::Loop& worker) {
  auto clusters = std::make_unique<OwnedWorkerClusters>(worker);
  for (const auto& [name, cluster] : active_) {
    clusters->handle()->clusters->set(cluster->info(), cluster->makeBalancer());
  }
  const bool main = &worker == &services_.main;
  const std::string thread = main ? "main_thread" : absl::StrCat("worker_", workers_.size());
  stats::Gauge& inflated = stats_->thread_scope->gauge(thread + ".clusters_inflated");
  workers_.push_back(std::make_unique<Worker>(Worker{worker, clusters->handle(), inflated}));
  for (const auto& [name, cluster] : active_) {
    cluster->countThread();
  }
  updateGauges();
  return clusters;
}

void ClusterManager::publish(Cluster& cluster) {
  for (const std::unique_ptr<Worker>& worker : workers_) {
    const auto balancer = std::make_shared<std::unique_ptr<HostChooser>>(cluster.makeBalancer());
    worker->post([info = cluster.info(), balancer](WorkerClusters& clusters) {
      clusters.set(info, std::move(*balancer));
    });
  }
}

void ClusterManager::onHostsChanged(Cluster& cluster) {
  const auto active = active_.find(cluster.name());
  if (active == active_.end() || active->second.get() != &cluster) {
    return; // It still warms: published whole, later.
  }
  if (cluster.initialized()) {
    stats_->cluster_updated.add();
  }
  for (const std::unique_ptr<Worker>& worker : workers_) {
    const auto balancer = std::make_shared<std::unique_ptr<HostChooser>>(cluster.makeBalancer());
    worker->post([name = cluster.name(), balancer](WorkerClusters& clusters) {
      clusters.update(name, std::move(*balancer));
    });
  }
}

void ClusterManager::onHostFailed(Cluster& cluster, const HostPtr& host) {
  for (const std::unique_ptr<Worker>& worker : workers_) {
    worker->post([name = cluster.name(), host](WorkerClusters& clusters) {
      clusters.closeConnections(name, *host);
    });
  }
}

void ClusterManager::updateGauges() {
  stats_->active_clusters.set(active_.size());
  stats_->warming_clusters.set(warming_.size());
  stats_->main_clusters_inflated.set(active_.size());
  for (const std::unique_ptr<Worker>& worker : workers_) {
    worker->clusters_inflated.set(active_.size());
  }
}

std::vector<const Cluster*> ClusterManager::clusters() const {
  std::vector<const Cluster*> all;
  for (const auto& [name, cluster] : active_) {
    all.push_back(cluster.get());
  }
  return all;
}

std::vector<const Cluster*> ClusterManager::warmingClusters() const {
  std::vector<const Cluster*> all;
  for (const auto& [name, cluster] : warming_) {
    all.push_back(cluster.get());
  }
  return all;
}

const Cluster* ClusterManager::find(absl::string_view name) const {
  const auto it = active_.find(name);
  return it == active_.end() ? nullptr : it->second.get();
}

} // namespace culvert::upstream
