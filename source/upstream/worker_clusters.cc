// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/worker_clusters.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "source/base/check.h"
#include "source/base/log.h"
#include "source/net/upstream_source.h"

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
std::variant<std::unique_ptr<Upstream>, ConnectFailure>
WorkerCluster::connect(UpstreamHandler& handler, const LoadBalancerContext& context) {
  ClusterInfo& info = *info_;
  if (!info.breakers.connections.tryTake()) {
    info.stats.upstream_cx_overflow.add();
    return ConnectFailure::kOverflow;
  }
  const HostPtr* const host = pickHost(context);
  const std::optional<uint32_t>& host_limit = info.config.breakers.per_host_max_connections;
  std::optional<ConnectFailure> failure;
  if (host == nullptr) {
    info.stats.upstream_cx_none_healthy.add();
    failure = ConnectFailure::kNoHealthyHost;
  } else if (host_limit &&
             (*host)->state().cx_active.load(std::memory_order_relaxed) >= *host_limit) {
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
  return dial(*host, handler, context);
}

std::unique_ptr<Upstream> WorkerCluster::dial(const HostPtr& host, UpstreamHandler& handler,
                                              const LoadBalancerContext& context) {
  event::Loop& loop = owner_.loop();
  const net::UpstreamSource* const source = sourceOf(context);
  const net::HostDescription& description = *host->description();
  absl::StatusOr<std::unique_ptr<net::Io>> io =
      source == nullptr || !description.address.isIp()
          ? info_->transport->connect(loop, description, info_->config.connect, context)
          : info_->transport->connect(loop, description, from(*source, info_->config.connect),
                                      context);
  const bool cannot_bind = absl::IsFailedPrecondition(io.status());
  if (cannot_bind) {
    info_->stats.bind_errors.add();
  }
  auto upstream = std::make_unique<TcpUpstream>(
      *this, host,
      io.ok() ? *std::move(io) : makeBrokenTransport(loop, std::string(io.status().message())),
      handler);
  upstream->start(cannot_bind);
  return upstream;
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
  CULVERT_CHECK(retired_.empty());
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
  }
}

void WorkerClusters::retire(std::unique_ptr<WorkerCluster> cluster) {
  if (cluster != nullptr && cluster->users_ > 0) {
    cluster->retired_ = true;
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
  if (flushing_count_ == kFlushingMax) {
    LOG(debug, upstream, "%d connections flush already, cutting off one more", kFlushingMax);
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
