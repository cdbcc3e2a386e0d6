// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "source/base/clock.h"
#include "source/base/intrusive_list.h"
#include "source/event/loop.h"
#include "source/net/io.h"
#include "source/net/late_io.h"
#include "source/upstream/host.h"
#include "source/upstream/spare_connection.h"
#include "source/upstream/upstream.h"

namespace culvert::upstream {

class HostPool;
class HostPools;
class TcpUpstream;
class WorkerCluster;

// The transport of an upstream that gets its connection from a pool: it opens when it has one.
// Threads: its worker's. Lifetime: its upstream's; the pool is there while it waits, and as long as
// it is open.
class PooledIo final : public net::LateIo, public base::ListNode<PooledIo> {
public:
  PooledIo(HostPool& pool, const LoadBalancerContext& context) : pool_(pool), context_(context) {}

  HostPool& pool() const { return pool_; }
  // Who wants it: valid as long as it waits.
  const LoadBalancerContext& context() const { return context_; }
  TcpUpstream& upstream() const { return *upstream_; }
  void setUpstream(TcpUpstream& upstream) { upstream_ = &upstream; }

private:
  HostPool& pool_;
  const LoadBalancerContext& context_;
  TcpUpstream* upstream_ = nullptr;
};

// One worker's connections to one host of a cluster that limits them (per_host_thresholds) or makes
// some before they are wanted (preconnect_policy). Who wants one gets one that is spare, or waits,
// first come, first served, until one has opened. Connections are made until there are as many as
// who waits or has one, times the ratio, or a limit is reached; but a worker that has none to a
// host may have one all the same, so that nobody waits for nothing. How many wait is bounded by
// max_pending_requests. All of it is counted as Envoy's pools do.
// Threads: its worker's. Lifetime: its HostPools', as long as it is used.
class HostPool final : public event::Deferred {
public:
  // What one event makes of connections at most, as in Envoy.
  static constexpr int kConnectsAtOnce = 3;

  HostPool(HostPools& pools, WorkerCluster& cluster, std::string key, HostPtr host);
  ~HostPool() override;

  const HostPtr& host() const { return host_; }
  const std::string& key() const { return key_; }
  WorkerCluster& cluster() { return cluster_; }

  // `context` is valid as long as the attempt.
  Attempt connect(UpstreamHandler& handler, const LoadBalancerContext& context);
  // One more is expected than there is, and that so many connections are wanted then, times the
  // ratio. Whether one was made for that.
  bool anticipate(double ratio);

  // What its upstreams say: one waits no more, a connection that one had has ended.
  void onCancelled(PooledIo& waiting);
  void onConnectionEnded();

  // What its spare connections say. They are not to be used after it.
  void onSpareConnected(SpareConnection& spare);
  void onSpareFailed(SpareConnection& spare, ConnectFailure failure);
  void onSpareEnded(SpareConnection& spare, bool by_peer);

  // Ends what nobody uses. With `for_good` no more is made but for those who wait.
  void drain(bool for_good);

private:
  using Spares = std::vector<std::unique_ptr<SpareConnection>>;

  size_t connections() const { return active_ + connecting_.size() + idle_.size(); }
  size_t users() const { return active_ + waiting_count_; }
  bool fit() const;
  double ratio() const;
  void connectMore(const LoadBalancerContext& context);
  bool tryConnect(const LoadBalancerContext& context);
  void dial(const LoadBalancerContext& context);
  PooledIo* nextWaiting();
  static void put(Spares& spares, std::unique_ptr<SpareConnection> spare);
  static std::unique_ptr<SpareConnection> take(Spares& spares, SpareConnection& spare);
  void attach(std::unique_ptr<SpareConnection> spare, PooledIo& io, bool waited);
  void end(std::unique_ptr<SpareConnection> spare, bool by_peer);
  void endSpares();
  void afterLoss();
  void removeIfUnused();

  HostPools& pools_;
  WorkerCluster& cluster_;
  const std::string key_;
  const HostPtr host_;
  base::IntrusiveList<PooledIo> waiting_;
  size_t waiting_count_ = 0;
  Spares connecting_;
  Spares idle_;       // The last one is taken first.
  size_t active_ = 0; // Connections that upstreams have.
  bool draining_ = false;
};

} // namespace culvert::upstream
