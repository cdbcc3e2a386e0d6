// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/balancing.h"

#include <algorithm>
#include <optional>

#include "source/upstream/deadline_schedule.h"
#include "source/upstream/upstream.h"

namespace culvert::upstream {
namespace {

// What the hosts of a priority count for.
uint64_t mass(const std::vector<HostPtr>& hosts, bool by_weight) {
  uint64_t sum = 0;
  for (const HostPtr& host : hosts) {
    sum += by_weight ? host->weight() : 1;
  }
  return sum;
}

uint64_t countedMass(const HostSet& set, bool by_weight) {
  uint64_t sum = 0;
  for (const HostPtr& host : set.all->hosts) {
    sum += host->excluded() ? 0 : by_weight ? host->weight() : 1;
  }
  return sum;
}

uint32_t availability(const HostList& usable, uint64_t counted, const SpreadRules& rules) {
  if (counted == 0) {
    return 0;
  }
  const uint64_t mass_percent =
      rules.overprovisioning_percent * mass(usable.hosts, rules.by_weight);
  return static_cast<uint32_t>(std::min<uint64_t>(100, mass_percent / counted));
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
  const size_t total = set.counted();
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

void spreadByHealth(const HostSets& sets, const SpreadRules& rules, PriorityLoad& load,
                    uint32_t& available_total) {
  std::vector<uint32_t> healthy;
  std::vector<uint32_t> degraded;
  available_total = 0;
  for (const HostSet& set : sets) {
    const uint64_t counted = countedMass(set, rules.by_weight);
    healthy.push_back(availability(*set.healthy, counted, rules));
    degraded.push_back(availability(*set.degraded, counted, rules));
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

bool sharesByLocality(const HostList& list) {
  return std::any_of(list.localities.begin(), list.localities.end(),
                     [](const LocalityHosts& locality) { return locality.share > 0; });
}

// Localities take turns by their shares, and the policy chooses within each.
class ByLocality final : public HostPicker {
public:
  ByLocality(const HostList& list, BalancingPolicy& policy)
      : parts_(makeParts(list, policy)), schedule_(parts_, shareOf) {}

  const HostPtr* pick(const LoadBalancerContext& context) override {
    return schedule_.next(shareOf).picker->pick(context);
  }

private:
  struct Part {
    double share;
    std::unique_ptr<HostPicker> picker;
  };

  static double shareOf(const Part& part) { return part.share; }
  static std::vector<Part> makeParts(const HostList& list, BalancingPolicy& policy) {
    std::vector<Part> parts;
    for (const LocalityHosts& locality : list.localities) {
      if (locality.share > 0) {
        parts.push_back({locality.share, policy.makePicker(locality.hosts)});
      }
    }
    return parts;
  }

  const std::vector<Part> parts_;
  DeadlineSchedule<Part> schedule_;
};

} // namespace

PriorityLoad spreadLoad(const HostSets& sets, const SpreadRules& rules) {
  PriorityLoad load;
  load.healthy.resize(sets.size());
  load.degraded.resize(sets.size());
  load.panic.resize(sets.size());
  uint32_t available_total = 0;
  spreadByHealth(sets, rules, load, available_total);
  if (available_total == 100 || rules.panic_threshold_percent == 0) {
    return load;
  }
  bool everywhere = true;
  for (size_t i = 0; i < sets.size(); ++i) {
    load.panic[i] = inPanic(sets[i], rules.panic_threshold_percent);
    everywhere = everywhere && load.panic[i];
  }
  if (everywhere) {
    spreadByCount(sets, load);
  }
  return load;
}

Balancer::Balancer(const HostSets& sets, const PriorityLoad& load, BalancingPolicy& policy,
                   uint64_t seed)
    : by_hash_(policy.byHash()), random_(seed) {
  for (const HostSet& set : sets) {
    foreseeable_ += policy.foreseeable() ? set.healthy->hosts.size() : 0;
  }
  Pickers pickers; // Equal lists are one.
  for (size_t i = 0; i < sets.size(); ++i) {
    add(load.healthy[i], load.panic[i], load.panic[i] ? sets[i].all : sets[i].healthy, policy,
        pickers);
  }
  for (size_t i = 0; i < sets.size(); ++i) {
    add(load.degraded[i], load.panic[i], load.panic[i] ? sets[i].all : sets[i].degraded, policy,
        pickers);
  }
}

void Balancer::add(uint32_t percent, bool panic, const HostListPtr& list, BalancingPolicy& policy,
                   Pickers& pickers) {
  if (percent == 0) {
    return;
  }
  std::shared_ptr<HostPicker>& picker = pickers[{list.get(), panic}];
  if (picker == nullptr) {
    const bool localities_share = !by_hash_ && !panic && sharesByLocality(*list);
    picker =
        localities_share ? std::make_unique<ByLocality>(*list, policy) : policy.makePicker(list);
  }
  const uint32_t before = shares_.empty() ? 0 : shares_.back().up_to_percent;
  shares_.push_back({before + percent, panic, picker});
}

uint64_t Balancer::dice(const LoadBalancerContext& context) {
  const std::optional<uint64_t> hash = by_hash_ ? context.hashKey() : std::nullopt;
  return hash.has_value() ? *hash % 100 : random_.below(100);
}

Balancer::Choice Balancer::pick(const LoadBalancerContext& context) {
  Share* share = &shares_.front();
  if (shares_.size() > 1) {
    const uint64_t drawn = dice(context);
    while (drawn >= share->up_to_percent) {
      ++share;
    }
  }
  return {share->picker->pick(context), share->panic};
}

} // namespace culvert::upstream
