// SPDX-License-Identifier: Apache-2.0
// Hosts sorted for balancing: by priority, health and locality.
#include <algorithm>
#include <utility>

#include "source/upstream/host.h"

namespace culvert::upstream {
namespace {

std::shared_ptr<HostList> makeList(std::vector<HostPtr> hosts, uint64_t turn) {
  auto list = std::make_shared<HostList>();
  list->hosts = std::move(hosts);
  list->turn = turn;
  return list;
}

std::vector<HostPtr> ofHealth(const std::vector<HostPtr>& hosts, HostHealth health) {
  std::vector<HostPtr> some;
  std::copy_if(hosts.begin(), hosts.end(), std::back_inserter(some),
               [&](const HostPtr& host) { return host->health() == health; });
  return some;
}

// Localities of one priority, in the order of their names as Envoy has them.
std::map<Locality, std::vector<HostPtr>> byLocality(const std::vector<HostPtr>& hosts) {
  std::map<Locality, std::vector<HostPtr>> groups;
  for (const HostPtr& host : hosts) {
    groups[host->locality()].push_back(host);
  }
  return groups;
}

class Sorter {
public:
  Sorter(const std::vector<HostPtr>& hosts, uint32_t priority, const HostSetOptions& options)
      : priority_(priority), options_(options) {
    if (options.locality_weights != nullptr) {
      groups_ = byLocality(hosts);
    }
  }

  // A list of those of `hosts`, which are all of one health or all there are.
  HostListPtr list(std::vector<HostPtr> hosts) const {
    const std::shared_ptr<HostList> list = makeList(std::move(hosts), options_.turn);
    const auto groups = groups_.empty() ? groups_ : byLocality(list->hosts);
    for (const auto& [locality, all] : groups_) {
      const auto group = groups.find(locality);
      if (group != groups.end()) {
        list->localities.push_back(share(locality, all, group->second));
      }
    }
    return list;
  }

private:
  LocalityHosts share(const Locality& locality, const std::vector<HostPtr>& all,
                      const std::vector<HostPtr>& fit) const {
    const auto weight = options_.locality_weights->find({priority_, locality});
    const uint32_t configured = weight == options_.locality_weights->end() ? 0 : weight->second;
    const auto excluded =
        std::count_if(all.begin(), all.end(), [](const HostPtr& host) { return host->excluded(); });
    const double counted = static_cast<double>(all.size()) - static_cast<double>(excluded);
    const double available =
        counted > 0 ? options_.overprovisioning_percent / 100.0 * fit.size() / counted : 1;
    return {makeList(fit, options_.turn), configured, configured * std::min(1.0, available)};
  }

  const uint32_t priority_;
  const HostSetOptions& options_;
  std::map<Locality, std::vector<HostPtr>> groups_;
};

HostSet makeHostSet(std::vector<HostPtr> hosts, uint32_t priority, const HostSetOptions& options) {
  const Sorter sorter(hosts, priority, options);
  HostSet set;
  set.excluded = static_cast<uint32_t>(std::count_if(
      hosts.begin(), hosts.end(), [](const HostPtr& host) { return host->excluded(); }));
  std::vector<HostPtr> healthy = ofHealth(hosts, HostHealth::kHealthy);
  set.degraded = sorter.list(ofHealth(hosts, HostHealth::kDegraded));
  const bool all_healthy = healthy.size() == hosts.size();
  set.all = sorter.list(std::move(hosts));
  set.healthy = all_healthy ? set.all : sorter.list(std::move(healthy));
  return set;
}

} // namespace

HostSets makeHostSets(const std::vector<HostPtr>& hosts, const HostSetOptions& options) {
  uint32_t last_priority = 0;
  for (const HostPtr& host : hosts) {
    last_priority = std::max(last_priority, host->priority());
  }
  std::vector<std::vector<HostPtr>> by_priority(last_priority + 1);
  for (const HostPtr& host : hosts) {
    by_priority[host->priority()].push_back(host);
  }
  HostSets sets;
  for (uint32_t i = 0; i <= last_priority; ++i) {
    sets.push_back(makeHostSet(std::move(by_priority[i]), i, options));
  }
  return sets;
}

} // namespace culvert::upstream
