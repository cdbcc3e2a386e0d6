// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/upstream/balancing.h"
#include "source/upstream/host.h"
#include "source/upstream/host_pool.h"

namespace culvert::upstream {

class WorkerCluster;

// A worker's pools of one cluster, by host and by what connections tell of who wants them; and the
// hosts that were chosen before anybody asked, for predictive_preconnect_ratio.
// Threads: its worker's. Lifetime: its WorkerCluster's.
class HostPools {
public:
  explicit HostPools(WorkerCluster& cluster) : cluster_(cluster) {}

  HostPool& get(const HostPtr& host, std::string key);
  void remove(HostPool& pool);

  // The host that `balancer` is known to choose next, if it was asked; null: it was not.
  HostPtr takeForeseen();
  // Somebody is about to ask for a connection: connects to the hosts of those who will follow.
  void foresee(HostChooser& balancer);

  // Ends what nobody uses: all of it, or what goes to hosts that are gone or unfit. What was chosen
  // is forgotten.
  void drainAll();
  void drainUnfit();

  // Of all pools together. Kept by the pools.
  struct Load {
    size_t users = 0; // With a connection or waiting for one.
    size_t connections = 0;
  };
  Load& load() { return load_; }

private:
  using Key = std::pair<const Host*, std::string>;

  template <class Which> void drainIf(bool for_good, const Which& which);

  WorkerCluster& cluster_;
  Load load_; // Outlives the pools.
  std::vector<HostPtr> foreseen_;
  absl::flat_hash_map<Key, std::unique_ptr<HostPool>> pools_;
};

} // namespace culvert::upstream
