// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/host_pools.h"

#include "source/upstream/worker_clusters.h"

namespace culvert::upstream {

HostPool& HostPools::get(const HostPtr& host, std::string key) {
  std::unique_ptr<HostPool>& pool = pools_[Key(host.get(), key)];
  if (pool == nullptr) {
    pool = std::make_unique<HostPool>(*this, cluster_, std::move(key), host);
  }
  return *pool;
}

void HostPools::remove(HostPool& pool) {
  const auto it = pools_.find(Key(pool.host().get(), pool.key()));
  if (it != pools_.end() && it->second.get() == &pool) {
    cluster_.owner().loop().deferDelete(std::move(it->second));
    pools_.erase(it);
  }
}

HostPtr HostPools::takeForeseen() {
  if (foreseen_.empty()) {
    return nullptr;
  }
  HostPtr next = std::move(foreseen_.front());
  foreseen_.erase(foreseen_.begin());
  return next;
}

void HostPools::foresee(HostChooser& balancer) {
  const double ratio = cluster_.info().config.preconnect.cluster_ratio;
  for (int i = 0; i < HostPool::kConnectsAtOnce && ratio > 1; i++) {
    const double wanted = static_cast<double>(load_.users + 1) * ratio;
    if (wanted <= static_cast<double>(load_.connections) ||
        foreseen_.size() >= balancer.foreseeable()) {
      return;
    }
    const HostPtr* const host = balancer.pick(LoadBalancerContext()).host;
    if (host == nullptr) {
      return;
    }
    foreseen_.push_back(*host);
    if (!get(*host, "").anticipate(ratio)) {
      return;
    }
  }
}

template <class Which> void HostPools::drainIf(bool for_good, const Which& which) {
  foreseen_.clear();
  std::vector<HostPool*> some;
  for (const auto& [key, pool] : pools_) {
    if (which(*pool->host())) {
      some.push_back(pool.get());
    }
  }
  for (HostPool* const pool : some) {
    pool->drain(for_good);
  }
}

void HostPools::drainAll() {
  drainIf(true, [](const Host&) { return true; });
}

void HostPools::drainUnfit() {
  drainIf(false, [](const Host& host) {
    return host.retired() || host.health() == HostHealth::kUnhealthy;
  });
}

} // namespace culvert::upstream
