// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/internal/table_writer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace culvert::mesh {
namespace {

class WriteLock {
public:
  explicit WriteLock(TableLock& lock) : lock_(lock) { lock_.lock(); }
  ~WriteLock() { lock_.unlock(); }
  WriteLock(const WriteLock&) = delete;

private:
  TableLock& lock_;
};

// A copy with room for more, if there is none: a table of a hundred thousand takes milliseconds to
// grow, or to get rid of marks of what was erased.
template <class Index>
void growBeside(Index& index, size_t more, TableLock& lock, size_t* erased = nullptr) {
  const size_t marks = erased == nullptr ? 0 : *erased;
  if (index.size() + marks + more <= index.capacity() - index.capacity() / 8) {
    return;
  }
  Index bigger;
  bigger.reserve(index.size() + index.size() / 16 + more);
  bigger.insert(index.begin(), index.end());
  if (erased != nullptr) {
    *erased = 0;
  }
  const WriteLock locked(lock);
  index.swap(bigger);
}

template <class Map, class Key, class Value>
void eraseFrom(Map& map, const Key& key, const Value& value) {
  const auto found = map.find(key);
  if (found == map.end()) {
    return;
  }
  auto& values = found->second;
  values.erase(std::remove(values.begin(), values.end(), value), values.end());
  if (values.empty()) {
    map.erase(found);
  }
}

// Which of several workloads at one address is meant (mesh-data-plane 2.3).
int rank(const Workload& workload) {
  return (workload.isPod() ? 2 : 0) + (workload.protocol == TunnelProtocol::kHbone ? 1 : 0);
}

std::string valueError(const AttributeTest& test) {
  constexpr size_t kIndexOf[] = {0, 0, 1, 2, 2, 3};
  if (test.values.index() != kIndexOf[static_cast<size_t>(test.attribute)]) {
    return "a list of another attribute's values";
  }
  const bool empty = std::visit([](const auto& values) { return values.empty(); }, test.values);
  return empty ? "an empty list would match more than was meant" : "";
}

// "namespace/hostname" is to mean one thing.
bool isNamespace(absl::string_view ns) { return ns.find('/') == absl::string_view::npos; }
constexpr char kNamespaceError[] = "namespace: must not contain /";

// Why a record can't be taken; "": it can.
std::string errorOf(const WorkloadRef& workload) {
  if (workload->uid.empty()) {
    return "uid: must not be empty";
  }
  return isNamespace(workload->ns) ? "" : kNamespaceError;
}
std::string errorOf(const ServiceRef& service) {
  if (service->hostname.empty()) {
    return "hostname: must not be empty";
  }
  if (!isNamespace(service->ns)) {
    return kNamespaceError;
  }
  return service->key == serviceKey(service->ns, service->hostname)
             ? ""
             : "key: is not namespace/hostname";
}
std::string errorOf(const PolicyRef& policy) {
  if (policy->key.empty()) {
    return "key: must not be empty";
  }
  for (const PolicyRule& rule : policy->rules) {
    for (const PolicyClause& clause : rule) {
      for (const PolicyMatch& match : clause) {
        for (const AttributeTest& test : match) {
          if (std::string error = valueError(test); !error.empty()) {
            return absl::StrCat("rules: ", error);
          }
        }
      }
    }
  }
  return "";
}
std::string errorOf(const Removal&) { return ""; }

} // namespace

std::vector<Rejection> TableWriter::apply(absl::Span<const Change> changes) {
  std::vector<Rejection> rejections;
  for (size_t start = 0; start < changes.size(); start += kChangesPerLock) {
    const auto batch = changes.subspan(start, kChangesPerLock);
    makeRoom(batch.size());
    {
      const WriteLock locked(table_.lock_);
      for (size_t i = 0; i < batch.size(); i++) {
        std::string error = std::visit([](const auto& value) { return errorOf(value); }, batch[i]);
        if (!error.empty()) {
          rejections.push_back({start + i, std::move(error)});
        } else {
          change(batch[i]);
        }
      }
    }
    old_workloads_.clear();
    old_services_.clear();
    old_policies_.clear();
  }
  settleEndpoints();
  return rejections;
}

void TableWriter::makeRoom(size_t changes) {
  constexpr size_t kAddressesEach = 2;
  growBeside(indexes_.workloads, changes, table_.lock_, &indexes_.workloads_erased);
  growBeside(indexes_.addresses, changes * kAddressesEach, table_.lock_,
             &indexes_.addresses_erased);
  growBeside(indexes_.services, changes, table_.lock_);
  growBeside(indexes_.services_by_hostname, changes, table_.lock_);
  growBeside(indexes_.vips, changes * kAddressesEach, table_.lock_);
  growBeside(indexes_.policies, changes, table_.lock_);
}

void TableWriter::change(const Change& change) {
  if (const auto* workload = std::get_if<WorkloadRef>(&change); workload != nullptr) {
    upsert(*workload);
  } else if (const auto* service = std::get_if<ServiceRef>(&change); service != nullptr) {
    upsert(*service);
  } else if (const auto* policy = std::get_if<PolicyRef>(&change); policy != nullptr) {
    upsert(*policy);
  } else {
    remove(std::get<Removal>(change));
  }
}

void TableWriter::remove(const Removal& removal) {
  switch (removal.kind) {
  case ResourceKind::kWorkload:
    return removeWorkload(removal.key);
  case ResourceKind::kService:
    return removeService(removal.key);
  case ResourceKind::kPolicy:
    return removePolicy(removal.key);
  }
}

// Workloads.

void TableWriter::upsert(const WorkloadRef& workload) {
  const auto found = indexes_.workloads.find(workload->uid.view());
  if (found != indexes_.workloads.end()) {
    if (*found == workload || **found == *workload) {
      return;
    }
    removeWorkload(workload->uid);
  }
  indexes_.workloads.insert(workload);
  index(*workload);
  touchEndpoints(*workload);
  touched_.workloads = true;
}

void TableWriter::removeWorkload(absl::string_view uid) {
  const auto found = indexes_.workloads.find(uid);
  if (found == indexes_.workloads.end()) {
    return;
  }
  unindex(**found);
  touchEndpoints(**found);
  old_workloads_.push_back(*found);
  indexes_.workloads.erase(found);
  indexes_.workloads_erased++;
  touched_.workloads = true;
}

bool TableWriter::isLocal(const Workload& workload) const {
  return table_.node_name_.empty() || workload.node == table_.node_name_;
}

void TableWriter::index(const Workload& workload) {
  if (workload.network_mode == NetworkMode::kStandard) {
    for (uint32_t i = 0; i < workload.ips.size(); i++) {
      indexAddress({&workload, i});
    }
  }
  if (const Text& hostname = workload.extra().hostname; !hostname.empty()) {
    indexes_.hostnames[table_.texts_.intern(serviceKey(workload.ns, hostname))].push_back(
        &workload);
  }
  if (isLocal(workload)) {
    indexes_.local.insert(&workload);
  }
}

void TableWriter::unindex(const Workload& workload) {
  if (workload.network_mode == NetworkMode::kStandard) {
    for (uint32_t i = 0; i < workload.ips.size(); i++) {
      unindexAddress({&workload, i});
    }
  }
  if (const Text& hostname = workload.extra().hostname; !hostname.empty()) {
    eraseFrom(indexes_.hostnames, serviceKey(workload.ns, hostname), &workload);
  }
  indexes_.local.erase(&workload);
}

void TableWriter::indexAddress(const WorkloadAddress& address) {
  const auto [at, alone] = indexes_.addresses.insert(address);
  if (alone || at->workload == address.workload) { // An address twice in one record is one.
    return;
  }
  auto& all = indexes_.shared_addresses[{address.workload->network, address.ip()}];
  if (all.empty()) {
    all.push_back(*at);
  }
  all.push_back(address);
  if (rank(*address.workload) >= rank(*at->workload)) {
    indexes_.addresses.erase(at);
    indexes_.addresses_erased++;
    indexes_.addresses.insert(address);
  }
}

void TableWriter::unindexAddress(const WorkloadAddress& address) {
  const auto at = indexes_.addresses.find(address);
  const auto shared = indexes_.shared_addresses.find({address.workload->network, address.ip()});
  if (shared == indexes_.shared_addresses.end()) {
    if (at != indexes_.addresses.end() && at->workload == address.workload) {
      indexes_.addresses.erase(at);
      indexes_.addresses_erased++;
    }
    return;
  }
  auto& all = shared->second;
  std::erase_if(all, [&](const auto& other) { return other.workload == address.workload; });
  indexes_.addresses.erase(at);
  indexes_.addresses_erased++;
  if (!all.empty()) { // Of equals the last.
    indexes_.addresses.insert(
        *std::max_element(all.rbegin(), all.rend(), [](const auto& a, const auto& b) {
          return rank(*a.workload) < rank(*b.workload);
        }));
  }
  if (all.size() < 2) {
    indexes_.shared_addresses.erase(shared);
  }
}

// Services.

ServiceSlot& TableWriter::slotOf(const Text& key) {
  Ref<ServiceSlot>& slot = indexes_.services[key];
  if (!slot) {
    slot = Ref<ServiceSlot>(new ServiceSlot);
    slot->key = key;
  }
  return *slot;
}

void TableWriter::dropSlotIfEmpty(absl::string_view key) {
  const auto found = indexes_.services.find(key);
  if (found != indexes_.services.end() && !found->second->service &&
      found->second->endpoints.empty()) {
    indexes_.services.erase(found);
  }
}

void TableWriter::upsert(const ServiceRef& service) {
  ServiceSlot& slot = slotOf(service->key);
  const ServiceRef old = slot.service;
  if (old && (old == service || *old == *service)) {
    return;
  }
  if (old) {
    unindexVips(slot, *old, service.get());
    touchEndpoints(*old);
    old_services_.push_back(old);
  } else {
    indexes_.services_by_hostname[service->hostname].push_back(&slot);
  }
  slot.service = service;
  indexVips(slot, *service, old.get());
  touchEndpoints(*service);
  touched_.services = true;
}

void TableWriter::removeService(absl::string_view key) {
  const auto found = indexes_.services.find(key);
  if (found == indexes_.services.end() || !found->second->service) {
    return;
  }
  ServiceSlot& slot = *found->second;
  unindexVips(slot, *slot.service, nullptr);
  eraseFrom(indexes_.services_by_hostname, slot.service->hostname.view(), &slot);
  touchEndpoints(*slot.service);
  old_services_.push_back(std::exchange(slot.service, nullptr));
  dropSlotIfEmpty(key);
  touched_.services = true;
}

// Addresses that stay keep their place among other services': the first counts.
void TableWriter::indexVips(ServiceSlot& slot, const Service& service, const Service* old) {
  for (const NetworkAddress& vip : service.vips) {
    ServiceSlots& slots = indexes_.vips[vip];
    if (std::find(slots.begin(), slots.end(), &slot) == slots.end()) {
      slots.push_back(&slot);
    }
  }
  for (const CidrVip& vip : service.cidr_vips) {
    if (old == nullptr ||
        std::find(old->cidr_vips.begin(), old->cidr_vips.end(), vip) == old->cidr_vips.end()) {
      indexes_.cidr_vips.push_back({vip, &slot});
    }
  }
}

void TableWriter::unindexVips(ServiceSlot& slot, const Service& service,
                              const Service* replacement) {
  const auto stays = [](const auto* vips, const auto& vip) {
    return vips != nullptr && std::find(vips->begin(), vips->end(), vip) != vips->end();
  };
  for (const NetworkAddress& vip : service.vips) {
    if (!stays(replacement == nullptr ? nullptr : &replacement->vips, vip)) {
      eraseFrom(indexes_.vips, vip, &slot);
    }
  }
  std::erase_if(indexes_.cidr_vips, [&](const CidrEntry& entry) {
    return entry.slot == &slot &&
           !stays(replacement == nullptr ? nullptr : &replacement->cidr_vips, entry.vip);
  });
}

// Endpoints.

void TableWriter::touchEndpoints(const Workload& workload) {
  for (const Membership& membership : workload.services) {
    touched_endpoints_[membership.service].insert(workload.uid);
  }
}

void TableWriter::touchEndpoints(const Service& service) {
  for (const Endpoint& endpoint : service.endpoints) {
    touched_endpoints_[service.key].insert(endpoint.uid);
  }
}

// What a workload says of itself counts more than what a service's source says of it.
std::optional<Endpoint> TableWriter::endpointNow(const ServiceSlot* slot, absl::string_view service,
                                                 const Text& uid) const {
  if (const auto found = indexes_.workloads.find(uid.view()); found != indexes_.workloads.end()) {
    for (const Membership& membership : (*found)->services) {
      if (membership.service.view() == service) {
        return Endpoint{(*found)->uid, membership.ports, (*found)->health};
      }
    }
  }
  if (slot != nullptr && slot->service) {
    for (const Endpoint& endpoint : slot->service->endpoints) {
      if (endpoint.uid == uid) {
        return endpoint;
      }
    }
  }
  return std::nullopt;
}

std::vector<Endpoint> TableWriter::merged(const ServiceSlot* slot, absl::string_view service,
                                          const absl::btree_set<Text>& uids) const {
  static const std::vector<Endpoint>* const none = new std::vector<Endpoint>;
  const std::vector<Endpoint>& old = slot == nullptr ? *none : slot->endpoints;
  std::vector<Endpoint> result;
  result.reserve(old.size() + uids.size());
  auto next = old.begin();
  for (const Text& uid : uids) {
    for (; next != old.end() && next->uid < uid; ++next) {
      result.push_back(*next);
    }
    if (next != old.end() && next->uid == uid) {
      ++next;
    }
    if (auto endpoint = endpointNow(slot, service, uid); endpoint.has_value()) {
      result.push_back(*std::move(endpoint));
    }
  }
  result.insert(result.end(), next, old.end());
  result.shrink_to_fit();
  return result;
}

void TableWriter::settleEndpoints() {
  for (const auto& [key, uids] : touched_endpoints_) {
    const auto found = indexes_.services.find(key);
    ServiceSlot* slot = found == indexes_.services.end() ? nullptr : found->second.get();
    std::vector<Endpoint> endpoints = merged(slot, key, uids);
    if (slot == nullptr ? endpoints.empty() : slot->endpoints == endpoints) {
      continue;
    }
    touched_.services = true;
    growBeside(indexes_.services, 1, table_.lock_);
    const WriteLock locked(table_.lock_);
    slotOf(key).endpoints.swap(endpoints);
    dropSlotIfEmpty(key);
  }
}

// Policies.

void TableWriter::upsert(const PolicyRef& policy) {
  const auto found = indexes_.policies.find(policy->key.view());
  if (found != indexes_.policies.end()) {
    if (found->second == policy || *found->second == *policy) {
      return;
    }
    removePolicy(policy->key);
  }
  indexes_.policies.emplace(policy->key, policy);
  if (policy->scope != Policy::Scope::kWorkloadSelector) {
    const Text ns = policy->scope == Policy::Scope::kGlobal ? Text() : policy->ns;
    indexes_.policies_by_namespace[ns].push_back(policy.get());
  }
  touched_.policies = true;
}

void TableWriter::removePolicy(absl::string_view key) {
  const auto found = indexes_.policies.find(key);
  if (found == indexes_.policies.end()) {
    return;
  }
  const PolicyRef policy = found->second;
  const bool global = policy->scope == Policy::Scope::kGlobal;
  eraseFrom(indexes_.policies_by_namespace, global ? absl::string_view() : policy->ns.view(),
            policy.get());
  old_policies_.push_back(policy);
  indexes_.policies.erase(found);
  touched_.policies = true;
}

} // namespace culvert::mesh
