// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/balancing.h"

#include <algorithm>
#include <map>

namespace culvert::upstream {
namespace {

uint32_t availability(size_t usable, size_t total, uint32_t overprovisioning_percent) {
  if (total == 0) {
    return 0;
  }
  return std::min<uint32_t>(100, static_cast<uint32_t>(overprovisioning_percent * usable / total));
}

// Fills from the first priority on; returns what is left.
uint32_t fill(std::vector<uint32_t>& load, const std::vector<uint32_t>& available,
              uint32_t available_total, uint32_t left) {
  for (size_t i = 0; i < load.size(); ++i) {
    load[i] = std::min(left, available[i] * 100 / available_total);
    left -= load[i];
  }
  return left;
}

size_t firstAbove0(const std::vector<uint32_t>& values) {
  return static_cast<size_t>(
      std::find_if(values.begin(), values.end(), [](uint32_t value) { return value > 0; }) -
      values.begin());
}

bool inPanic(const HostSet& set, uint32_t threshold_percent) {
  const size_t total = set.all->hosts.size() - set.excluded;
  if (total == 0) {
    return threshold_percent > 0;
  }
  const size_t usable = set.healthy->hosts.size() + set.degraded->hosts.size();
  return 100 * usable < threshold_percent * total;
}

// Every priority is in panic: by the number of hosts alone.
void spreadByCount(const HostSets& sets, PriorityLoad& load) {
  size_t total = 0;
  for (const HostSet& set : sets) {
    total += set.all->hosts.size();
  }
  std::fill(load.healthy.begin(), load.healthy.end(), 0);
  std::fill(load.degraded.begin(), load.degraded.end(), 0);
  uint32_t left = 100;
  for (size_t i = 0; i < sets.size() && total > 0; ++i) {
    load.healthy[i] = static_cast<uint32_t>(100 * sets[i].all->hosts.size() / total);
    left -= load.healthy[i];
  }
  const size_t first = firstAbove0(load.healthy);
  load.healthy[first < sets.size() ? first : 0] += left;
}

void spreadByHealth(const HostSets& sets, uint32_t overprovisioning_percent, PriorityLoad& load,
                    uint32_t& available_total) {
  std::vector<uint32_t> healthy;
  std::vector<uint32_t> degraded;
  available_total = 0;
  for (const HostSet& set : sets) {
    const size_t total = set.all->hosts.size() - set.excluded;
    healthy.push_back(availability(set.healthy->hosts.size(), total, overprovisioning_percent));
    degraded.push_back(availability(set.degraded->hosts.size(), total, overprovisioning_percent));
    available_total += healthy.back() + degraded.back();
  }
  available_total = std::min<uint32_t>(available_total, 100);
  if (available_total == 0) {
    load.healthy[0] = 100;
    return;
  }
  uint32_t left = fill(load.healthy, healthy, available_total, 100);
  left = fill(load.degraded, degraded, available_total, left);
  const size_t first = firstAbove0(healthy); // What rounding left goes to the first that is fit.
  if (first < sets.size()) {
    load.healthy[first] += left;
  } else {
    load.degraded[firstAbove0(degraded)] += left;
  }
}

} // namespace

PriorityLoad spreadLoad(const HostSets& sets, uint32_t overprovisioning_percent,
                        uint32_t panic_threshold_percent) {
  PriorityLoad load;
  load.healthy.resize(sets.size());
  load.degraded.resize(sets.size());
  load.panic.resize(sets.size());
  uint32_t available_total = 0;
  spreadByHealth(sets, overprovisioning_percent, load, available_total);
  if (available_total == 100 || panic_threshold_percent == 0) {
    return load;
  }
  bool everywhere = true;
  for (size_t i = 0; i < sets.size(); ++i) {
    load.panic[i] = inPanic(sets[i], panic_threshold_percent);
    everywhere = everywhere && load.panic[i];
  }
  if (everywhere) {
    spreadByCount(sets, load);
  }
  return load;
}

Balancer::Balancer(const HostSets& sets, const PriorityLoad& load, BalancingPolicy& policy,
                   uint64_t seed)
    : random_(seed) {
  std::map<const HostList*, std::shared_ptr<HostPicker>> pickers; // Equal lists are one.
  uint32_t up_to_percent = 0;
  const auto add = [&](uint32_t percent, bool panic, const HostListPtr& list) {
    if (percent == 0) {
      return;
    }
    std::shared_ptr<HostPicker>& picker = pickers[list.get()];
    if (picker == nullptr) {
      picker = policy.makePicker(list);
    }
    up_to_percent += percent;
    shares_.push_back({up_to_percent, panic, picker});
  };
  for (size_t i = 0; i < sets.size(); ++i) {
    add(load.healthy[i], load.panic[i], load.panic[i] ? sets[i].all : sets[i].healthy);
  }
  for (size_t i = 0; i < sets.size(); ++i) {
    add(load.degraded[i], load.panic[i], load.panic[i] ? sets[i].all : sets[i].degraded);
  }
}

Balancer::Choice Balancer::pick(const LoadBalancerContext& context) {
  Share* share = &shares_.front();
  if (shares_.size() > 1) {
    const uint64_t dice = random_.below(100);
    while (dice >= share->up_to_percent) {
      ++share;
    }
  }
  return {share->picker->pick(context), share->panic};
}

} // namespace culvert::upstream
