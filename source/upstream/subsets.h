// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/stats/store.h"
#include "source/upstream/balancing.h"
#include "source/upstream/subset_config.h"

namespace culvert::upstream {

class MetadataMatch;

// cluster.<name>.lb_subsets_*
struct SubsetStats {
  explicit SubsetStats(stats::Scope& scope);

  stats::Gauge& active;
  stats::Counter& created;
  stats::Counter& removed;
  stats::Counter& selected;
  stats::Counter& fallback;
  stats::Counter& fallback_panic;
};

// The hosts of one cluster, as they were published, in their subsets. Immutable.
// Threads: main.
class Subsets {
public:
  struct Group {
    HostSets sets;
    PriorityLoad load;
  };
  using MakeGroup = std::function<Group(const std::vector<HostPtr>&)>;

  Subsets(const std::vector<HostPtr>& hosts, const SubsetConfig& config, const MakeGroup& make);

  // By subsetName().
  const absl::flat_hash_map<std::string, Group>& groups() const { return groups_; }
  const Group& all() const { return all_; }
  const Group& byDefault() const { return by_default_; }
  // Hosts that a single_host selector passed over.
  uint64_t duplicates() const { return duplicates_; }

private:
  uint64_t sortBy(const SubsetSelector& selector, const std::vector<HostPtr>& hosts,
                  bool list_as_any,
                  absl::flat_hash_map<std::string, std::vector<HostPtr>>& members) const;

  absl::flat_hash_map<std::string, Group> groups_;
  uint64_t duplicates_ = 0;
  Group all_;
  Group by_default_;
};

// One worker's choice within a subset.
// Threads: made on main, then one worker's.
class SubsetBalancer final : public HostChooser {
public:
  SubsetBalancer(const Subsets& subsets, std::shared_ptr<const SubsetConfig> config,
                 std::shared_ptr<SubsetStats> stats, BalancingPolicy& policy, uint64_t seed);

  Choice pick(const LoadBalancerContext& context) override;

private:
  Choice pickFor(const MetadataMatch* match, const LoadBalancerContext& context);
  Choice pickBySelector(const SubsetSelector& selector, const MetadataMatch& match,
                        const LoadBalancerContext& context);
  Choice pickFallback(const LoadBalancerContext& context);

  const std::shared_ptr<const SubsetConfig> config_;
  const std::shared_ptr<SubsetStats> stats_;
  absl::flat_hash_map<std::string, std::unique_ptr<Balancer>> subsets_;
  absl::flat_hash_map<std::string, const SubsetSelector*> selectors_; // With a fallback, by keys.
  Balancer any_;
  Balancer by_default_;
};

} // namespace culvert::upstream
