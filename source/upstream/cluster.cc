// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/cluster.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "source/access_log/file_manager.h"
#include "source/base/log.h"
#include "source/upstream/policies.h"

namespace culvert::upstream {
namespace {

constexpr absl::string_view kPanicThresholdKey = "upstream.healthy_panic_threshold";

// All of a host that has several.
std::vector<net::Address> addressesOf(const EndpointConfig& endpoint, const AddressOrder& order) {
  if (endpoint.more_addresses.empty()) {
    return {};
  }
  std::vector<net::Address> all = {endpoint.address};
  all.insert(all.end(), endpoint.more_addresses.begin(), endpoint.more_addresses.end());
  return inOrder(all, order);
}

std::vector<HostSpec> specsOf(const std::vector<LocalityConfig>& localities,
                              const AddressOrder& order) {
  std::vector<HostSpec> specs;
  for (const LocalityConfig& locality : localities) {
    for (const EndpointConfig& endpoint : locality.endpoints) {
      specs.push_back(
          {&locality, &endpoint, endpoint.address, false, addressesOf(endpoint, order)});
    }
  }
  return specs;
}

// STATIC: the endpoints as they are configured.
class StaticHosts final : public HostSource {
public:
  explicit StaticHosts(HostSourceContext& context) : context_(context) {}

  void start() override {
    context_.setHosts(specsOf(context_.config().endpoints, context_.config().address_order));
    context_.setInitialized();
  }

private:
  HostSourceContext& context_;
};

std::unique_ptr<BalancingPolicy> makePolicy(const ClusterInfo& info, const base::Clock& clock,
                                            uint64_t seed) {
  const PolicyContext context{seed, *info.scope, clock};
  return info.config.make_policy ? info.config.make_policy(context) : makeRoundRobin(seed);
}

LocalityWeights weightsOf(const std::vector<LocalityConfig>& localities) {
  LocalityWeights weights;
  for (const LocalityConfig& locality : localities) {
    if (locality.weight.has_value()) {
      weights[{locality.priority, locality.locality}] = *locality.weight;
    }
  }
  return weights;
}

} // namespace

// The hosts that there were, by address; what is not taken out is gone.
class Cluster::Index {
public:
  explicit Index(const std::vector<HostPtr>& hosts) {
    for (const HostPtr& host : hosts) {
      by_address_[host->address()].push_back(host);
    }
  }

  HostPtr take(const HostSpec& spec) {
    const auto it = by_address_.find(spec.address);
    if (it == by_address_.end()) {
      return nullptr;
    }
    for (HostPtr& host : it->second) {
      if (host != nullptr && host->addresses() == spec.addresses &&
          host->sameAs(*spec.endpoint, *spec.locality, spec.address)) {
        return std::exchange(host, nullptr);
      }
    }
    return nullptr;
  }
  // A logical host is the only one of its cluster.
  HostPtr takeAny() {
    for (auto& [address, hosts] : by_address_) {
      for (HostPtr& host : hosts) {
        if (host != nullptr) {
          return std::exchange(host, nullptr);
        }
      }
    }
    return nullptr;
  }
  // Calls `visit` for each that is left.
  template <class Visit> void forEachLeft(const Visit& visit) {
    for (auto& [address, hosts] : by_address_) {
      for (HostPtr& host : hosts) {
        if (host != nullptr) {
          visit(host);
        }
      }
    }
  }

private:
  absl::flat_hash_map<net::Address, std::vector<HostPtr>> by_address_;
};

Cluster::Cluster(const Services& services, ClusterConfig config, uint64_t seed)
    : services_(services), info_(makeClusterInfo(services.main, std::move(config), services.stats)),
      random_(seed), policy_(makePolicy(*info_, services.main.clock(), random_.next())),
      last_updated_(services.main.clock().wallNow()),
      locality_weights_(weightsOf(info_->config.endpoints)),
      overprovisioning_percent_(info_->config.overprovisioning_percent),
      weighted_priority_health_(info_->config.weighted_priority_health),
      sets_(sortHosts({}, info_->config.locality_weighted)), load_(spread(sets_)) {
  if (info_->config.subsets != nullptr) {
    subset_stats_ = std::make_shared<SubsetStats>(*info_->scope);
    sortSubsets();
  }
  if (info_->config.health_check.has_value()) {
    startChecker();
  }
  if (info_->config.outlier.has_value()) {
    outliers_ = std::make_unique<OutlierDetector>(
        services_.main, info_, random_.next(), services_.runtime, services_.outlier_log,
        [this](const Host& host) { onHealthChanged(host); });
  }
  HostSourceContext& context = *this;
  source_ = info_->config.make_hosts ? info_->config.make_hosts(context)
                                     : std::make_unique<StaticHosts>(context);
}

Cluster::~Cluster() = default;

void Cluster::startChecker() {
  const HealthCheckConfig& config = *info_->config.health_check;
  HealthEventLog::Files files;
  for (const std::string& path : config.event_logs) {
    absl::StatusOr<std::shared_ptr<access_log::LogFile>> file =
        services_.log_files == nullptr ? absl::UnavailableError("no files")
                                       : services_.log_files->open(path);
    if (file.ok()) { // It was tried before: see ClusterManager::check.
      files.push_back(*std::move(file));
    }
  }
  checker_ = std::make_unique<HealthChecker>(
      services_.main, info_, random_.next(), services_.runtime,
      HealthEventLog(services_.main.clock(), std::move(files), protocolName(config.protocol),
                     name()),
      [this](Host& host, bool changed) { onChecked(host, changed); });
}

void Cluster::start(Events events) {
  events_ = std::move(events);
  source_->start();
}

// Not before each host has been checked once.
void Cluster::setInitialized() {
  if (initialized_ || awaited_checks_ > 0) {
    return;
  }
  awaited_checks_ = checker_ == nullptr ? 0 : checker_->size();
  if (awaited_checks_ == 0) {
    finishInitialization();
  }
}

void Cluster::finishInitialization() {
  initialized_ = true;
  if (event::Ready::linked()) { // What the last checks said comes first.
    unlink();
    publish();
  }
  events_.initialized(*this);
}

// Hosts change under the checker's feet only in later turns.
void Cluster::onChecked(Host& host, bool changed) {
  const bool passed = (host.healthFlags() & kFailedActiveHc) == 0;
  if (passed && outliers_ != nullptr) {
    outliers_->onCheckPassed(host);
  }
  if (!passed && (host.healthFlags() & kPendingDynamicRemoval) != 0) {
    removeHosts([&](const Host& other) { return &other == &host; }); // Its checks had kept it.
  } else if (changed) {
    onHealthChanged(host);
  }
  if (awaited_checks_ > 0 && --awaited_checks_ == 0) {
    finishInitialization();
  }
}

// Its first failure may be on its way already.
void Cluster::adoptHost(HostPtr host) {
  info_->stats.default_total_match_count.add();
  info_->stats.membership_change.add();
  if (outliers_ != nullptr) {
    outliers_->watch(host);
  }
  hosts_.push_back(std::move(host));
  publishSoon();
}

void Cluster::removeHosts(const std::function<bool(const Host&)>& which) {
  std::erase_if(hosts_, [&](const HostPtr& host) {
    const bool goes = which(*host);
    if (goes) {
      host->retire();
    }
    return goes;
  });
  info_->stats.membership_change.add();
  publish();
}

std::function<void(HostState&)> Cluster::hostPreparer() {
  return outliers_ == nullptr ? [](HostState&) {} : outliers_->preparer();
}

void Cluster::onHealthChanged(const Host& host) {
  publishSoon();
  const bool close = info_->config.close_on_host_health_failure && initialized_;
  if (close && host.health() == HostHealth::kUnhealthy) {
    const auto it = std::find_if(hosts_.begin(), hosts_.end(),
                                 [&](const HostPtr& other) { return other.get() == &host; });
    if (it != hosts_.end()) {
      events_.host_failed(*this, *it);
    }
  }
}

// Many checks may end in one turn.
void Cluster::publishSoon() {
  if (!event::Ready::linked()) {
    services_.main.runNext(*this);
  }
}

void Cluster::setNothingYet() {
  if (!replaces_) {
    setInitialized();
    return;
  }
  LOG(warning, upstream, "cluster '%s' has no endpoints yet; the one before it serves on", name());
}

// The host of old that `spec` means, brought up to date.
HostPtr Cluster::keepHost(const HostSpec& spec, Index& old, bool& changed) {
  HostPtr host = spec.logical ? old.takeAny() : old.take(spec);
  if (host == nullptr) {
    return nullptr;
  }
  if (!(host->address() == spec.address) || host->addresses() != spec.addresses) {
    changed = true;
    host->retire();
    host = std::make_shared<Host>(*host, spec.address);
    host->setAddresses(spec.addresses);
  }
  changed = host->update(*spec.endpoint) || changed;
  host->setFlag(kPendingDynamicRemoval, false);
  return host;
}

HostPtr Cluster::makeHost(const HostSpec& spec) {
  auto host = std::make_shared<Host>(*spec.endpoint, *spec.locality, spec.address,
                                     info_->config.statName());
  host->setAddresses(spec.addresses);
  if (checker_ != nullptr && host->isChecked()) { // Until the first check.
    host->setFlag(kFailedActiveHc, true);
    host->setFlag(kPendingActiveHc, info_->config.ignore_new_hosts_until_first_hc);
  }
  return host;
}

// Envoy trusts what it checks more than what it is told: a host that passes stays.
void Cluster::keepWhilePassing(Index& old, std::vector<HostPtr>& hosts) {
  if (checker_ == nullptr || info_->config.ignore_health_on_host_removal) {
    return;
  }
  old.forEachLeft([&](HostPtr& host) {
    if (host->isChecked() && (host->healthFlags() & (kFailedActiveHc | kFailedEdsHealth)) == 0) {
      host->setFlag(kPendingDynamicRemoval, true);
      hosts.push_back(std::exchange(host, nullptr));
    }
  });
}

bool Cluster::setHosts(const std::vector<HostSpec>& specs) {
  Index old(hosts_);
  std::vector<HostPtr> hosts;
  std::set<uint32_t> changed_priorities; // Whose members came, went or moved.
  bool changed = false;
  info_->stats.default_total_match_count.add(specs.size());
  for (const HostSpec& spec : specs) {
    HostPtr host = keepHost(spec, old, changed);
    if (host != nullptr && spec.logical && changed) {
      changed_priorities.insert(spec.locality->priority);
    }
    if (host == nullptr) {
      changed_priorities.insert(spec.locality->priority);
      host = makeHost(spec);
    }
    hosts.push_back(std::move(host));
  }
  keepWhilePassing(old, hosts);
  old.forEachLeft([&](const HostPtr& host) {
    host->retire();
    changed_priorities.insert(host->priority());
  });
  if (!changed && changed_priorities.empty()) {
    return false;
  }
  info_->stats.membership_change.add(changed_priorities.size());
  hosts_ = std::move(hosts);
  publish();
  return true;
}

bool Cluster::setAssignment(const Assignment& assignment) {
  LocalityWeights weights = weightsOf(assignment.endpoints);
  const bool same = weights == locality_weights_ &&
                    assignment.overprovisioning_percent == overprovisioning_percent_ &&
                    assignment.weighted_priority_health == weighted_priority_health_;
  locality_weights_ = std::move(weights);
  overprovisioning_percent_ = assignment.overprovisioning_percent;
  weighted_priority_health_ = assignment.weighted_priority_health;
  if (setHosts(specsOf(assignment.endpoints, info_->config.address_order))) {
    return true;
  }
  if (!same) {
    publish();
  }
  return !same;
}

absl::StatusOr<std::unique_ptr<EndpointSubscription>>
Cluster::discover(const envoy::config::core::v3::ConfigSource& source, const std::string& name,
                  EndpointSubscriber& subscriber) {
  return services_.discover_endpoints(source, name, *info_->scope, subscriber);
}

HostSets Cluster::sortHosts(const std::vector<HostPtr>& hosts, bool by_locality) {
  return makeHostSets(hosts, {random_.next() >> 1, by_locality ? &locality_weights_ : nullptr,
                              overprovisioning_percent_});
}

void Cluster::sortSubsets() {
  const SubsetConfig& config = *info_->config.subsets;
  const bool by_locality = info_->config.locality_weighted && config.locality_weight_aware;
  auto subsets = std::make_unique<Subsets>(hosts_, config, [&](const std::vector<HostPtr>& hosts) {
    HostSets sets = sortHosts(hosts, by_locality);
    PriorityLoad load = spread(sets);
    return Subsets::Group{std::move(sets), std::move(load)};
  });
  size_t kept = 0;
  const size_t before = subsets_ == nullptr ? 0 : subsets_->groups().size();
  for (const auto& [name, group] : subsets->groups()) {
    kept += subsets_ != nullptr && subsets_->groups().contains(name);
  }
  const size_t threads = services_.threads();
  subset_stats_->created.add((subsets->groups().size() - kept) * threads);
  subset_stats_->removed.add((before - kept) * threads);
  subset_stats_->active.set(subsets->groups().size() * threads);
  if (std::any_of(config.selectors.begin(), config.selectors.end(),
                  [](const SubsetSelector& selector) { return selector.single_host; })) {
    info_->scope->gauge("lb_subsets_single_host_per_subset_duplicate").set(subsets->duplicates());
  }
  subsets_ = std::move(subsets);
}

void Cluster::countThread() {
  if (subsets_ != nullptr) {
    subset_stats_->created.add(subsets_->groups().size());
    subset_stats_->active.set(subsets_->groups().size() * services_.threads());
  }
}

PriorityLoad Cluster::spread(const HostSets& sets) const {
  const ClusterConfig& config = info_->config;
  const uint64_t panic_threshold_percent =
      services_.runtime(kPanicThresholdKey, config.panic_threshold_percent);
  return spreadLoad(sets, {overprovisioning_percent_,
                           static_cast<uint32_t>(std::min<uint64_t>(panic_threshold_percent, 100)),
                           weighted_priority_health_});
}

void Cluster::publish() {
  if (outliers_ != nullptr) {
    outliers_->setHosts(hosts_);
  }
  for (const HostPtr& host : hosts_) {
    if (host->healthySince() == base::Instant() && host->health() == HostHealth::kHealthy) {
      host->setHealthySince(services_.main.now());
    }
  }
  sets_ = sortHosts(hosts_, info_->config.locality_weighted);
  load_ = spread(sets_);
  if (subsets_ != nullptr) {
    sortSubsets();
  }
  size_t healthy = 0;
  size_t degraded = 0;
  size_t excluded = 0;
  for (const HostSet& set : sets_) {
    healthy += set.healthy->hosts.size();
    degraded += set.degraded->hosts.size();
    excluded += set.excluded;
  }
  info_->stats.membership_total.set(hosts_.size());
  info_->stats.membership_healthy.set(healthy);
  info_->stats.membership_degraded.set(degraded);
  info_->stats.membership_excluded.set(excluded);
  events_.hosts_changed(*this);
  if (checker_ != nullptr) {
    checker_->setHosts(hosts_);
  }
}

std::unique_ptr<HostChooser> HostSource::makeChooser() { return nullptr; }

std::unique_ptr<HostChooser> Cluster::makeBalancer() {
  if (std::unique_ptr<HostChooser> own = source_->makeChooser()) {
    return own;
  }
  if (subsets_ != nullptr) {
    return std::make_unique<SubsetBalancer>(*subsets_, info_->config.subsets, subset_stats_,
                                            *policy_, random_.next());
  }
  return std::make_unique<Balancer>(sets_, load_, *policy_, random_.next());
}

} // namespace culvert::upstream
