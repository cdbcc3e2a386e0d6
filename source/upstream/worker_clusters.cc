// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/worker_clusters.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/check.h"
#include "source/base/log.h"
#include "source/net/upstream_source.h"
#include "source/upstream/happy_eyeballs.h"
#include "source/upstream/http1_tunnel_io.h"

namespace culvert::upstream {
namespace {

// The source that a filter of the downstream connection wants; null: the cluster's.
const net::UpstreamSource* sourceOf(const LoadBalancerContext& context) {
  const net::ConnectionInfo* const downstream = context.downstream();
  return downstream == nullptr || downstream->filter_state == nullptr
             ? nullptr
             : downstream->filter_state->find<net::UpstreamSource>(net::UpstreamSource::kKey);
}

net::ConnectOptions from(const net::UpstreamSource& source, net::ConnectOptions options) {
  const bool v6 = source.address.kind() == net::Address::Kind::kIpv6;
  options.source = source.address;
  options.options.push_back(
      net::SocketOption::ofInt(v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, 1));
  if (source.mark != 0) {
    options.options.push_back(
        net::SocketOption::ofInt(SOL_SOCKET, SO_MARK, static_cast<int>(source.mark)));
  }
  return options;
}

} // namespace

// The order of the checks is Envoy's: connections of the cluster, a host, then what waits for it.
Attempt WorkerCluster::connectAlone(UpstreamHandler& handler, const LoadBalancerContext& context,
                                    const TunnelRequest* request) {
  ClusterInfo& info = *info_;
  if (!info.breakers.connections.tryTake()) {
    info.stats.upstream_cx_overflow.add();
    return ConnectFailure::kOverflow;
  }
  const HostPtr* const host = pickHost(context);
  std::optional<ConnectFailure> failure;
  if (host == nullptr) {
    info.stats.upstream_cx_none_healthy.add();
    failure = ConnectFailure::kNoHealthyHost;
  } else if (hostIsFull(**host)) {
    info.stats.upstream_cx_overflow.add();
    failure = ConnectFailure::kOverflow;
  } else if (!info.breakers.pending.tryTake()) {
    info.stats.upstream_rq_pending_overflow.add();
    failure = ConnectFailure::kLocal;
  }
  if (failure.has_value()) {
    info.breakers.connections.giveBack();
    return *failure;
  }
  return dial(*host, handler, context, request);
}

// The same order, but who finds nothing free waits for its host.
Attempt WorkerCluster::connectPooled(UpstreamHandler& handler, const LoadBalancerContext& context) {
  ClusterInfo& info = *info_;
  if (info.breakers.connections.used() >= info.breakers.connections.max()) {
    info.stats.upstream_cx_overflow.add();
    return ConnectFailure::kOverflow;
  }
  HostPtr host = pools_->takeForeseen();
  if (host == nullptr) {
    const HostPtr* const picked = pickHost(context);
    if (picked == nullptr) {
      info.stats.upstream_cx_none_healthy.add();
      return ConnectFailure::kNoHealthyHost;
    }
    host = *picked;
  }
  std::string key = sharingKey(context);
  if (key.empty()) { // Else what they will want is not known.
    pools_->foresee(*balancer_);
  }
  return pools_->get(host, std::move(key)).connect(handler, context);
}

bool WorkerCluster::hostIsFull(const Host& host) {
  const std::optional<uint32_t>& limit = info_->config.breakers.per_host_max_connections;
  return limit && host.state().cx_active.load(std::memory_order_relaxed) >= *limit;
}

// At its first address.
std::unique_ptr<net::Io> WorkerCluster::dialHost(const HostPtr& host,
                                                 const LoadBalancerContext& context,
                                                 bool& cannot_bind) {
  absl::StatusOr<std::unique_ptr<net::Io>> io = dialAddress(*host->description(), context);
  cannot_bind = absl::IsFailedPrecondition(io.status());
  return io.ok() ? *std::move(io)
                 : makeBrokenTransport(owner_.loop(), std::string(io.status().message()));
}

// At all its addresses.
std::unique_ptr<net::Io> WorkerCluster::dialAny(const HostPtr& host, ContextPtr context) {
  return makeHappyEyeballs(owner_.loop(), host->addresses(), [this, host, context](size_t number) {
    if (number > 0) { // The first one is counted with the connection, as Envoy does.
      info_->stats.upstream_cx_total.add();
      host->state().cx_total.fetch_add(1, std::memory_order_relaxed);
    }
    net::HostDescription there = *host->description();
    there.address = host->addresses()[number];
    return dialAddress(there, *context);
  });
}

std::unique_ptr<net::Io> WorkerCluster::reach(const HostPtr& host, ContextPtr context,
                                              bool& cannot_bind) {
  return host->addresses().empty() ? dialHost(host, *context, cannot_bind)
                                   : dialAny(host, std::move(context));
}

absl::StatusOr<std::unique_ptr<net::Io>>
WorkerCluster::dialAddress(const net::HostDescription& host, const LoadBalancerContext& context) {
  event::Loop& loop = owner_.loop();
  const net::UpstreamSource* const source = sourceOf(context);
  auto io =
      source == nullptr || !host.address.isIp()
          ? info_->transport->connect(loop, host, info_->config.connect, context)
          : info_->transport->connect(loop, host, from(*source, info_->config.connect), context);
  if (absl::IsFailedPrecondition(io.status())) {
    info_->stats.bind_errors.add();
  }
  return io;
}

// `request`: null where no tunnel is asked for.
std::unique_ptr<Upstream> WorkerCluster::dial(const HostPtr& host, UpstreamHandler& handler,
                                              const LoadBalancerContext& context,
                                              const TunnelRequest* request) {
  bool cannot_bind = false;
  std::unique_ptr<net::Io> io = reach(host, borrow(context), cannot_bind);
  Http1TunnelIo* tunnel = nullptr;
  if (request != nullptr) {
    auto asks = std::make_unique<Http1TunnelIo>(std::move(io), *request);
    tunnel = asks.get();
    io = std::move(asks);
    info_->stats.upstream_cx_http1_total.add();
  }
  auto upstream = std::make_unique<TcpUpstream>(*this, host, std::move(io), handler);
  if (tunnel != nullptr) {
    tunnel->setAskedCallback(base::Delegate<void()>::to<&TcpUpstream::onReached>(upstream.get()));
  }
  upstream->start(cannot_bind);
  return upstream;
}

Attempt WorkerCluster::connectTunnel(UpstreamHandler& handler, const LoadBalancerContext& context,
                                     const TunnelRequest& request) {
  if (info_->config.http.http2) {
    return connectShared(handler, context, request);
  }
  if (!request.post_path.empty()) {
    if (!std::exchange(warned_of_post_, true)) {
      LOG(warning, upstream, "cluster '%s': tunnels by POST need HTTP/2", name());
    }
    return ConnectFailure::kLocal;
  }
  return connectAlone(handler, context, &request);
}

// As Envoy's: the limit of connections refuses even what would find room in one that is there.
Attempt WorkerCluster::connectShared(UpstreamHandler& handler, const LoadBalancerContext& context,
                                     const TunnelRequest& request) {
  ClusterInfo& info = *info_;
  if (info.breakers.connections.used() >= info.breakers.connections.max()) {
    info.stats.upstream_cx_overflow.add();
    return ConnectFailure::kOverflow;
  }
  const HostPtr* const host = pickHost(context);
  if (host == nullptr) {
    info.stats.upstream_cx_none_healthy.add();
    return ConnectFailure::kNoHealthyHost;
  }
  TunnelConnection* const carrier = findOrDial(*host, context);
  if (carrier == nullptr) {
    info.stats.upstream_cx_overflow.add();
    return ConnectFailure::kOverflow;
  }
  const bool connected = carrier->connected();
  Breaker& breaker = connected ? info.breakers.requests : info.breakers.pending;
  if (!breaker.tryTake()) {
    (connected ? info.stats.upstream_rq_active_overflow : info.stats.upstream_rq_pending_overflow)
        .add();
    return ConnectFailure::kLocal;
  }
  std::unique_ptr<Upstream> tunnel = carrier->open(request, handler);
  if (tunnel == nullptr) {
    breaker.giveBack();
    return ConnectFailure::kLocal;
  }
  return tunnel;
}

// Null: a limit is against one more connection.
TunnelConnection* WorkerCluster::findOrDial(const HostPtr& host,
                                            const LoadBalancerContext& context) {
  if (tunnels_ == nullptr) {
    tunnels_ = std::make_unique<TunnelPool>();
  }
  TunnelKey key(host.get(), sharingKey(context));
  TunnelConnection* const found = tunnels_->find(key);
  if (found != nullptr) {
    return found;
  }
  if (hostIsFull(*host) || !info_->breakers.connections.tryTake()) {
    return nullptr;
  }
  bool cannot_bind = false;
  std::unique_ptr<net::Io> io = dialHost(host, context, cannot_bind);
  TunnelConnection& made = tunnels_->add(
      std::make_unique<TunnelConnection>(*tunnels_, std::move(key), *this, host, std::move(io)));
  made.start(cannot_bind);
  return &made;
}

std::string WorkerCluster::sharingKey(const LoadBalancerContext& context) const {
  std::string key = info_->transport->sharingKey(context);
  if (const net::UpstreamSource* const source = sourceOf(context)) {
    absl::StrAppend(&key, "|", source->serialize(), "|", source->mark);
  }
  const net::ConnectionInfo* const downstream = context.downstream();
  if (info_->config.http.pool_per_downstream && downstream != nullptr) {
    absl::StrAppend(&key, "|", downstream->id);
  }
  return key;
}

const HostPtr* WorkerCluster::pickHost(const LoadBalancerContext& context) {
  const HostChooser::Choice choice = balancer_->pick(context);
  if (choice.panic) {
    info_->stats.lb_healthy_panic.add();
  }
  return choice.host;
}

void WorkerCluster::countAttemptsExceeded() {
  info_->stats.upstream_cx_connect_attempts_exceeded.add();
}

void WorkerCluster::removeUser() {
  if (--users_ == 0 && retired_) {
    owner_.destroyRetired(*this);
  }
}

WorkerClusters::~WorkerClusters() {
  while (TcpUpstream* upstream = flushing_.front()) {
    upstream->destroyFlushing();
  }
  while (!retired_.empty()) { // Nothing but connections that no tunnel needs keeps them.
    const std::unique_ptr<TunnelPool> tunnels = std::move(retired_.back()->tunnels_);
    CULVERT_CHECK(tunnels != nullptr);
  }
  for (const auto& [name, cluster] : clusters_) {
    cluster->tunnels_.reset();
  }
  for (const auto& [name, cluster] : clusters_) {
    CULVERT_CHECK(cluster->users_ == 0);
  }
}

ThreadCluster* WorkerClusters::find(absl::string_view name) {
  const auto it = clusters_.find(name);
  return it == clusters_.end() ? nullptr : it->second.get();
}

void WorkerClusters::set(ClusterInfoPtr info, std::unique_ptr<HostChooser> balancer) {
  std::unique_ptr<WorkerCluster>& place = clusters_[info->config.name];
  auto cluster = std::make_unique<WorkerCluster>(*this, std::move(info), std::move(balancer));
  retire(std::exchange(place, std::move(cluster)));
}

void WorkerClusters::update(absl::string_view name, std::unique_ptr<HostChooser> balancer) {
  const auto it = clusters_.find(name);
  if (it != clusters_.end()) {
    balancer->takeOver(*it->second->balancer_);
    it->second->balancer_ = std::move(balancer);
    if (it->second->tunnels_ != nullptr) {
      it->second->tunnels_->drainUnfit();
    }
    if (it->second->pools_ != nullptr) {
      it->second->pools_->drainUnfit();
    }
  }
}

void WorkerClusters::remove(absl::string_view name) {
  const auto it = clusters_.find(name);
  if (it != clusters_.end()) {
    retire(std::move(it->second));
    clusters_.erase(it);
  }
}

// Sessions let their connections go at the end of the turn, so that the list stays as it is.
void WorkerClusters::closeConnections(absl::string_view name, const Host& host) {
  const auto it = clusters_.find(name);
  if (it != clusters_.end()) {
    it->second->closable_.forEach([&](TcpUpstream& upstream) { upstream.closeIfTo(host); });
    if (it->second->tunnels_ != nullptr && it->second->info_->config.close_on_host_health_failure) {
      it->second->tunnels_->closeTo(host);
    }
  }
}

void WorkerClusters::retire(std::unique_ptr<WorkerCluster> cluster) {
  if (cluster != nullptr && cluster->users_ > 0) {
    cluster->retired_ = true;
    if (cluster->tunnels_ != nullptr) {
      cluster->tunnels_->drainAll();
    }
    if (cluster->pools_ != nullptr) {
      cluster->pools_->drainAll();
    }
    retired_.push_back(std::move(cluster));
  }
}

void WorkerClusters::destroyRetired(WorkerCluster& cluster) {
  const auto it = std::find_if(retired_.begin(), retired_.end(),
                               [&](const auto& retired) { return retired.get() == &cluster; });
  std::swap(*it, retired_.back());
  retired_.pop_back();
}

bool WorkerClusters::addFlushing(TcpUpstream& upstream) {
  if (flushing_count_ >= flushing_max_) {
    LOG_CONNECTION(debug, upstream, upstream.connection().id(),
                   "%d connections flush already, this one is reset", flushing_max_);
    return false;
  }
  flushing_count_++;
  flushing_.pushBack(upstream);
  return true;
}

void WorkerClusters::removeFlushing(TcpUpstream& upstream) {
  flushing_count_--;
  upstream.unlink();
}

} // namespace culvert::upstream
