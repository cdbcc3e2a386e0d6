// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/host_pool.h"

#include <utility>

#include "source/base/check.h"
#include "source/base/log.h"
#include "source/upstream/connection_counts.h"
#include "source/upstream/host_pools.h"
#include "source/upstream/tcp_upstream.h"
#include "source/upstream/worker_clusters.h"

namespace culvert::upstream {
namespace {

// What transports ask about who wants a connection, for attempts that may outlive who that was.
class KeptContext final : public LoadBalancerContext {
public:
  explicit KeptContext(const net::ConnectionInfo& from) {
    info_.id = from.id;
    info_.remote = from.remote;
    info_.local = from.local;
    info_.direct_remote = from.direct_remote;
    info_.direct_local = from.direct_local;
    if (from.filter_state != nullptr) {
      info_.filter_state = std::make_unique<net::FilterState>(*from.filter_state);
    }
  }
  const net::ConnectionInfo* downstream() const override { return &info_; }

private:
  net::ConnectionInfo info_;
};

std::shared_ptr<const LoadBalancerContext> keep(const LoadBalancerContext& context) {
  const net::ConnectionInfo* const downstream = context.downstream();
  return downstream == nullptr ? std::make_shared<const LoadBalancerContext>()
                               : std::make_shared<const KeptContext>(*downstream);
}

} // namespace

HostPool::HostPool(HostPools& pools, WorkerCluster& cluster, std::string key, HostPtr host)
    : pools_(pools), cluster_(cluster), key_(std::move(key)), host_(std::move(host)) {}

HostPool::~HostPool() { CULVERT_CHECK(waiting_.empty() && active_ == 0); }

Attempt HostPool::connect(UpstreamHandler& handler, const LoadBalancerContext& context) {
  ClusterInfo& info = cluster_.info();
  const bool waits = idle_.empty();
  if (waits && !info.breakers.pending.tryTake()) {
    info.stats.upstream_rq_pending_overflow.add();
    removeIfUnused();
    return ConnectFailure::kLocal;
  }
  auto io = std::make_unique<PooledIo>(*this, context);
  PooledIo& place = *io;
  auto upstream = std::make_unique<TcpUpstream>(cluster_, host_, std::move(io), handler);
  place.setUpstream(*upstream);
  upstream->start(false);
  if (waits) {
    countWaiting(info, host_->state());
    waiting_.pushBack(place);
    waiting_count_++;
    pools_.load().users++;
  } else {
    pools_.load().users++;
    attach(take(idle_, *idle_.back()), place, false);
  }
  connectMore(context);
  return upstream;
}

bool HostPool::fit() const {
  return !draining_ && !host_->retired() && host_->health() == HostHealth::kHealthy;
}

// Nobody is expected at a host that is not well.
double HostPool::ratio() const {
  return fit() ? cluster_.info().config.preconnect.per_host_ratio : 1;
}

void HostPool::connectMore(const LoadBalancerContext& context) {
  const double wanted = static_cast<double>(users()) * ratio();
  for (int i = 0; i < kConnectsAtOnce && wanted > static_cast<double>(connections()); i++) {
    if (!tryConnect(context)) {
      return;
    }
  }
}

bool HostPool::anticipate(double ratio) {
  const double wanted = static_cast<double>(users() + 1) * ratio;
  const bool more =
      fit() && wanted > static_cast<double>(connections()) && tryConnect(LoadBalancerContext());
  removeIfUnused();
  return more;
}

// Whether another one may be tried.
bool HostPool::tryConnect(const LoadBalancerContext& context) {
  ClusterInfo& info = cluster_.info();
  const bool allowed = !cluster_.hostIsFull(*host_) && info.breakers.connections.tryTake();
  if (!allowed) {
    info.stats.upstream_cx_overflow.add();
    if (connections() > 0) {
      return false;
    }
    info.breakers.connections.take();
  }
  dial(context);
  return allowed;
}

void HostPool::dial(const LoadBalancerContext& context) {
  LOG(debug, upstream, "making a connection to %s", host_->address().toString());
  bool cannot_bind = false;
  std::unique_ptr<net::Io> io = cluster_.reach(
      host_, host_->addresses().empty() ? borrow(context) : keep(context), cannot_bind);
  pools_.load().connections++;
  put(connecting_, std::make_unique<SpareConnection>(*this, std::move(io), cannot_bind));
  connecting_.back()->start();
}

void HostPool::put(Spares& spares, std::unique_ptr<SpareConnection> spare) {
  spare->setPlace(spares.size());
  spares.push_back(std::move(spare));
}

// The last one gets its place.
std::unique_ptr<SpareConnection> HostPool::take(Spares& spares, SpareConnection& spare) {
  const size_t place = spare.place();
  std::swap(spares[place], spares.back());
  spares[place]->setPlace(place);
  std::unique_ptr<SpareConnection> taken = std::move(spares.back());
  spares.pop_back();
  return taken;
}

PooledIo* HostPool::nextWaiting() {
  PooledIo* const first = waiting_.popFront();
  waiting_count_ -= first == nullptr ? 0 : 1;
  return first;
}

void HostPool::attach(std::unique_ptr<SpareConnection> spare, PooledIo& io, bool waited) {
  active_++;
  io.upstream().attach(spare->release(), spare->started(), waited);
  cluster_.owner().loop().deferDelete(std::move(spare)); // Its callback may be on the stack.
}

void HostPool::end(std::unique_ptr<SpareConnection> spare, bool by_peer) {
  pools_.load().connections--;
  spare->end(by_peer);
  cluster_.owner().loop().deferDelete(std::move(spare));
}

void HostPool::onSpareConnected(SpareConnection& spare) {
  std::unique_ptr<SpareConnection> connected = take(connecting_, spare);
  PooledIo* const first = nextWaiting();
  if (first == nullptr) {
    connected->keep();
    put(idle_, std::move(connected));
    return;
  }
  attach(std::move(connected), *first, true);
  if (PooledIo* const next = waiting_.front()) {
    connectMore(next->context());
  }
}

void HostPool::onSpareFailed(SpareConnection& spare, ConnectFailure failure) {
  const std::string reason = spare.failureReason();
  LOG(debug, upstream, "connect to %s failed: %s", host_->address().toString(), reason);
  end(take(connecting_, spare), failure == ConnectFailure::kRefused);
  // All who wait fail with it; who tries again waits anew.
  for (size_t left = waiting_count_; left > 0 && !waiting_.empty(); left--) {
    pools_.load().users--;
    nextWaiting()->upstream().failWaiting(failure, reason);
  }
  afterLoss();
}

void HostPool::onSpareEnded(SpareConnection& spare, bool by_peer) {
  end(take(idle_, spare), by_peer);
  afterLoss();
}

void HostPool::onConnectionEnded() {
  active_--;
  pools_.load().users--;
  pools_.load().connections--;
  afterLoss();
}

// What it alone needed is closed, of what only opens.
void HostPool::onCancelled(PooledIo& waiting) {
  waiting.unlink();
  waiting_count_--;
  pools_.load().users--;
  const double wanted = static_cast<double>(users()) * ratio();
  if (!connecting_.empty() && wanted <= static_cast<double>(connecting_.size() - 1 + active_)) {
    end(take(connecting_, *connecting_.back()), false);
  }
  afterLoss();
}

void HostPool::afterLoss() {
  if (PooledIo* const first = waiting_.front()) {
    connectMore(first->context());
  } else if (active_ == 0 && !key_.empty()) {
    endSpares(); // Few will ask for what just these clients wanted.
  }
  removeIfUnused();
}

void HostPool::endSpares() {
  while (!idle_.empty()) {
    end(take(idle_, *idle_.back()), false);
  }
  while (waiting_.empty() && !connecting_.empty()) {
    end(take(connecting_, *connecting_.back()), false);
  }
}

void HostPool::drain(bool for_good) {
  draining_ |= for_good;
  endSpares();
  removeIfUnused();
}

void HostPool::removeIfUnused() {
  if (connections() == 0 && waiting_.empty()) {
    pools_.remove(*this);
  }
}

} // namespace culvert::upstream
