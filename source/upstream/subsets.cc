// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/subsets.h"

#include <algorithm>
#include <utility>

#include "source/upstream/metadata_match.h"
#include "source/upstream/upstream.h"

namespace culvert::upstream {
namespace {

using net::Value;

// Null when the host has none.
const Value::Fields* fieldsOf(const Host& host) {
  const net::Metadata* const metadata = host.description()->metadata.get();
  return metadata == nullptr ? nullptr : metadata->find(kSubsetMetadata);
}

// Each of `all` with each of these values for `key`.
std::vector<Value::Fields> extended(const std::vector<Value::Fields>& all, const std::string& key,
                                    const Value::List& values) {
  std::vector<Value::Fields> more;
  for (const Value::Fields& fields : all) {
    for (const Value& value : values) {
      more.push_back(fields);
      more.back()[key] = value;
    }
  }
  return more;
}

// The names of the host's values for these keys; none if it lacks one. With lists there may be
// several.
std::vector<std::string> subsetsOf(const Host& host, const std::set<std::string>& keys,
                                   bool list_as_any) {
  const Value::Fields* const fields = fieldsOf(host);
  if (fields == nullptr || keys.empty()) {
    return {};
  }
  std::vector<Value::Fields> all(1);
  for (const std::string& key : keys) {
    const auto it = fields->find(key);
    if (it == fields->end()) {
      return {};
    }
    const auto* const list = std::get_if<Value::List>(&it->second.kind);
    all = extended(all, key, list_as_any && list != nullptr ? *list : Value::List{it->second});
  }
  std::vector<std::string> names;
  std::transform(all.begin(), all.end(), std::back_inserter(names), subsetName);
  std::sort(names.begin(), names.end()); // A list may have a value twice.
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::set<std::string> keysOf(const Value::Fields& fields) {
  std::set<std::string> keys;
  for (const auto& [key, value] : fields) {
    keys.insert(key);
  }
  return keys;
}

std::vector<HostPtr> thatHave(const Value::Fields& wanted, const std::vector<HostPtr>& hosts,
                              bool list_as_any) {
  if (wanted.empty()) {
    return hosts;
  }
  const std::set<std::string> keys = keysOf(wanted);
  const std::string name = subsetName(wanted);
  std::vector<HostPtr> some;
  std::copy_if(hosts.begin(), hosts.end(), std::back_inserter(some), [&](const HostPtr& host) {
    const std::vector<std::string> names = subsetsOf(*host, keys, list_as_any);
    return std::find(names.begin(), names.end(), name) != names.end();
  });
  return some;
}

} // namespace

SubsetStats::SubsetStats(stats::Scope& scope)
    : active(scope.gauge("lb_subsets_active")), created(scope.counter("lb_subsets_created")),
      removed(scope.counter("lb_subsets_removed")), selected(scope.counter("lb_subsets_selected")),
      fallback(scope.counter("lb_subsets_fallback")),
      fallback_panic(scope.counter("lb_subsets_fallback_panic")) {}

Subsets::Subsets(const std::vector<HostPtr>& hosts, const SubsetConfig& config,
                 const MakeGroup& make)
    : all_(make(hosts)),
      by_default_(make(thatHave(config.default_subset, hosts, config.list_as_any))) {
  absl::flat_hash_map<std::string, std::vector<HostPtr>> members;
  std::set<std::set<std::string>> seen; // A selector may be there twice.
  for (const SubsetSelector& selector : config.selectors) {
    if (seen.insert(selector.keys).second) {
      duplicates_ += sortBy(selector, hosts, config.list_as_any, members);
    }
  }
  for (const auto& [name, some] : members) {
    groups_.emplace(name, make(some));
  }
}

uint64_t Subsets::sortBy(const SubsetSelector& selector, const std::vector<HostPtr>& hosts,
                         bool list_as_any,
                         absl::flat_hash_map<std::string, std::vector<HostPtr>>& members) const {
  uint64_t duplicates = 0;
  for (const HostPtr& host : hosts) {
    for (const std::string& name : subsetsOf(*host, selector.keys, list_as_any)) {
      std::vector<HostPtr>& subset = members[name];
      if (selector.single_host && !subset.empty()) {
        duplicates++;
      } else {
        subset.push_back(host);
      }
    }
  }
  return duplicates;
}

SubsetBalancer::SubsetBalancer(const Subsets& subsets, std::shared_ptr<const SubsetConfig> config,
                               std::shared_ptr<SubsetStats> stats, BalancingPolicy& policy,
                               uint64_t seed)
    : config_(std::move(config)), stats_(std::move(stats)),
      any_(subsets.all().sets, subsets.all().load, policy, seed),
      by_default_(subsets.byDefault().sets, subsets.byDefault().load, policy, seed) {
  for (const auto& [name, group] : subsets.groups()) {
    subsets_[name] = std::make_unique<Balancer>(group.sets, group.load, policy, seed);
  }
  for (const SubsetSelector& selector : config_->selectors) {
    if (selector.fallback != SubsetFallback::kUndefined) {
      selectors_.emplace(keysName(selector.keys), &selector);
    }
  }
}

HostChooser::Choice SubsetBalancer::pick(const LoadBalancerContext& context) {
  return pickFor(context.metadataMatch(), context);
}

HostChooser::Choice SubsetBalancer::pickFor(const MetadataMatch* match,
                                            const LoadBalancerContext& context) {
  if (match != nullptr) {
    if (const auto it = subsets_.find(match->subset()); it != subsets_.end()) {
      stats_->selected.add();
      return it->second->pick(context);
    }
    if (const auto it = selectors_.find(match->keys()); it != selectors_.end()) {
      return pickBySelector(*it->second, *match, context);
    }
  }
  return pickFallback(context);
}

HostChooser::Choice SubsetBalancer::pickBySelector(const SubsetSelector& selector,
                                                   const MetadataMatch& match,
                                                   const LoadBalancerContext& context) {
  switch (selector.fallback) {
  case SubsetFallback::kAny:
    return any_.pick(context);
  case SubsetFallback::kDefault:
    return by_default_.pick(context);
  case SubsetFallback::kKeysSubset: { // Ends, because the keys get fewer.
    const MetadataMatch fewer = match.only(selector.fallback_keys);
    return pickFor(&fewer, context);
  }
  case SubsetFallback::kUndefined:
  case SubsetFallback::kNone:
    break;
  }
  return {nullptr, false};
}

HostChooser::Choice SubsetBalancer::pickFallback(const LoadBalancerContext& context) {
  if (config_->fallback == SubsetFallback::kNone) {
    return {nullptr, false};
  }
  Balancer& balancer = config_->fallback == SubsetFallback::kAny ? any_ : by_default_;
  if (const Choice choice = balancer.pick(context); choice.host != nullptr) {
    stats_->fallback.add();
    return choice;
  }
  if (!config_->panic_mode_any) {
    return {nullptr, false};
  }
  const Choice choice = any_.pick(context);
  if (choice.host != nullptr) {
    stats_->fallback_panic.add();
  }
  return choice;
}

} // namespace culvert::upstream
