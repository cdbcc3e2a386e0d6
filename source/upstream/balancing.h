// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "source/base/random.h"
#include "source/upstream/host.h"

namespace culvert::upstream {

class LoadBalancerContext;

// Chooses among the hosts of one list, for one worker.
// Threads: made on main, then one worker's. Lifetime: keeps its list.
class HostPicker {
public:
  virtual ~HostPicker() = default;
  // Null when the list is empty.
  virtual const HostPtr* pick(const LoadBalancerContext& context) = 0;
};

// A load-balancing policy as one cluster is configured with it.
// Threads: main.
class BalancingPolicy {
public:
  virtual ~BalancingPolicy() = default;
  // One picker for one worker. Called for each list of hosts that is published and each worker;
  // what workers can share (a table) may be made once for a list and kept.
  virtual std::unique_ptr<HostPicker> makePicker(const HostListPtr& hosts) = 0;
  // Hash balancing: the priority follows from the hash too, and the localities of a list are the
  // picker's own affair.
  virtual bool byHash() const { return false; }
  // Whether what a picker chooses is the same if it is asked now.
  virtual bool foreseeable() const { return false; }
};

// How much of a cluster's load each priority gets, by Envoy's rules (envoy-compat A.5): healthy
// hosts first, then degraded ones, priorities in order, with overprovisioning_percent of slack;
// below panic_threshold_percent of usable hosts all of them are used.
// Units: percent. `panic` has one entry a priority.
struct PriorityLoad {
  std::vector<uint32_t> healthy;
  std::vector<uint32_t> degraded;
  std::vector<bool> panic;
};

struct SpreadRules {
  uint32_t overprovisioning_percent = 140;
  uint32_t panic_threshold_percent = 50;
  bool by_weight = false; // Hosts count as much as their weight (weighted_priority_health).
};

PriorityLoad spreadLoad(const HostSets& sets, const SpreadRules& rules);

// Chooses a host of a cluster, for one worker.
// Threads: made on main, then one worker's.
class HostChooser {
public:
  struct Choice {
    const HostPtr* host; // Null: none is fit. Valid as long as the chooser.
    bool panic;          // All hosts of a priority were considered, fit or not.
  };

  virtual ~HostChooser() = default;
  virtual Choice pick(const LoadBalancerContext& context) = 0;
  // How many hosts it is worth asking for before they are wanted; 0: that is of no use.
  virtual size_t foreseeable() const { return 0; }
  // It takes the place of `previous`, which chose for the same worker and cluster.
  virtual void takeOver(HostChooser& previous) { static_cast<void>(previous); }
};

// Among all hosts as they were published: by priority and health, and then by a policy.
class Balancer final : public HostChooser {
public:
  Balancer(const HostSets& sets, const PriorityLoad& load, BalancingPolicy& policy, uint64_t seed);

  Choice pick(const LoadBalancerContext& context) override;
  size_t foreseeable() const override { return foreseeable_; }

private:
  using Pickers = std::map<std::pair<const HostList*, bool>, std::shared_ptr<HostPicker>>;
  struct Share {
    uint32_t up_to_percent; // Of the dice; the shares end at 100.
    bool panic;
    std::shared_ptr<HostPicker> picker;
  };

  void add(uint32_t percent, bool panic, const HostListPtr& list, BalancingPolicy& policy,
           Pickers& pickers);
  uint64_t dice(const LoadBalancerContext& context);

  std::vector<Share> shares_;
  const bool by_hash_;
  size_t foreseeable_ = 0; // Healthy hosts, if choices can be foreseen.
  base::Random random_;
};

} // namespace culvert::upstream
