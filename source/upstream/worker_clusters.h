// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/base/intrusive_list.h"
#include "source/upstream/balancing.h"
#include "source/upstream/cluster_info.h"
#include "source/upstream/host_pools.h"
#include "source/upstream/tcp_upstream.h"
#include "source/upstream/tunnel_pool.h"
#include "source/upstream/upstream.h"

namespace culvert::upstream {

class WorkerClusters;

// One worker's view of one cluster. Its connections keep it when the cluster goes or is replaced.
// Threads: its worker's; made on main.
class WorkerCluster final : public ThreadCluster {
public:
  WorkerCluster(WorkerClusters& owner, ClusterInfoPtr info, std::unique_ptr<HostChooser> balancer)
      : owner_(owner), info_(std::move(info)), balancer_(std::move(balancer)) {
    if (info_->config.preconnect.any() || info_->config.breakers.per_host_max_connections) {
      pools_ = std::make_unique<HostPools>(*this);
    }
  }

  absl::string_view name() const override { return info_->config.name; }
  const std::shared_ptr<const net::ClusterDescription>& description() const override {
    return info_->description;
  }
  Attempt connect(UpstreamHandler& handler, const LoadBalancerContext& context) override {
    return pools_ == nullptr ? connectAlone(handler, context, nullptr)
                             : connectPooled(handler, context);
  }
  Attempt connectTunnel(UpstreamHandler& handler, const LoadBalancerContext& context,
                        const TunnelRequest& request) override;
  void countAttemptsExceeded() override;

  ClusterInfo& info() { return *info_; }
  // Null unless the cluster limits the connections of each host, or makes some ahead.
  HostPools* pools() { return pools_.get(); }
  // Begins to reach the host. `cannot_bind`: it has failed already, for want of a source address.
  std::unique_ptr<net::Io> reach(const HostPtr& host, ContextPtr context, bool& cannot_bind);
  bool hostIsFull(const Host& host);
  WorkerClusters& owner() { return owner_; }

  void addUser(TcpUpstream& upstream) {
    users_++;
    if (info_->config.close_on_host_health_failure) {
      closable_.pushBack(upstream);
    }
  }
  void addUser() { users_++; } // One that is never closed with its host's health by itself.
  void removeUser();

private:
  friend class WorkerClusters;

  const HostPtr* pickHost(const LoadBalancerContext& context);
  Attempt connectAlone(UpstreamHandler& handler, const LoadBalancerContext& context,
                       const TunnelRequest* request);
  Attempt connectPooled(UpstreamHandler& handler, const LoadBalancerContext& context);
  std::unique_ptr<Upstream> dial(const HostPtr& host, UpstreamHandler& handler,
                                 const LoadBalancerContext& context, const TunnelRequest* request);
  std::unique_ptr<net::Io> dialHost(const HostPtr& host, const LoadBalancerContext& context,
                                    bool& cannot_bind);
  std::unique_ptr<net::Io> dialAny(const HostPtr& host, ContextPtr context);
  absl::StatusOr<std::unique_ptr<net::Io>> dialAddress(const net::HostDescription& host,
                                                       const LoadBalancerContext& context);
  Attempt connectShared(UpstreamHandler& handler, const LoadBalancerContext& context,
                        const TunnelRequest& request);
  TunnelConnection* findOrDial(const HostPtr& host, const LoadBalancerContext& context);
  std::string sharingKey(const LoadBalancerContext& context) const;

  WorkerClusters& owner_;
  const ClusterInfoPtr info_;
  std::unique_ptr<HostChooser> balancer_;
  std::unique_ptr<TunnelPool> tunnels_;       // Null before the first.
  std::unique_ptr<HostPools> pools_;          // Null unless connections are limited or made ahead.
  size_t users_ = 0;                          // Connections,
  base::IntrusiveList<TcpUpstream> closable_; // kept at hand if they end with their host's health.
  bool retired_ = false;
  bool warned_of_post_ = false;
};

// One worker's view of all clusters, and the connections that go on without a session until what
// was written has left.
// Threads: its worker's; made on main. Lifetime: its connections are gone before it, but for those
// that flush; the loop outlives it.
class WorkerClusters final : public ThreadClusters {
public:
  explicit WorkerClusters(event::Loop& loop) : loop_(loop) {}
  ~WorkerClusters() override;

  ThreadCluster* find(absl::string_view name) override;

  event::Loop& loop() { return loop_; }
  void set(ClusterInfoPtr info, std::unique_ptr<HostChooser> balancer);
  void update(absl::string_view name, std::unique_ptr<HostChooser> balancer);
  void remove(absl::string_view name);
  // `host` of this cluster was found unhealthy.
  void closeConnections(absl::string_view name, const Host& host);

  // More than this many flushing connections of one worker: further ones are reset.
  void setFlushingMax(size_t max) { flushing_max_ = max; }
  // False: there are too many already.
  bool addFlushing(TcpUpstream& upstream);
  void removeFlushing(TcpUpstream& upstream);
  void destroyRetired(WorkerCluster& cluster);

private:
  void retire(std::unique_ptr<WorkerCluster> cluster);

  event::Loop& loop_;
  absl::flat_hash_map<std::string, std::unique_ptr<WorkerCluster>> clusters_;
  std::vector<std::unique_ptr<WorkerCluster>> retired_; // Replaced, but still in use.
  base::IntrusiveList<TcpUpstream> flushing_;
  size_t flushing_count_ = 0;
  size_t flushing_max_ = 1024;
};

} // namespace culvert::upstream
