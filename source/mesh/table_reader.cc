// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/table_reader.h"

#include <tuple>

#include "source/mesh/internal/indexes.h"

namespace culvert::mesh {
namespace {

bool visible(const Service& service, std::optional<absl::string_view> client_ns) {
  return !client_ns.has_value() || service.visibleTo(*client_ns);
}

// Its own namespace's, else the last canonical one, else the first (mesh-control-plane 5.3).
const Service* bestOf(const ServiceSlots& slots, std::optional<absl::string_view> client_ns) {
  const Service* first = nullptr;
  const Service* canonical = nullptr;
  for (const ServiceSlot* slot : slots) {
    const Service& service = *slot->service;
    if (!visible(service, client_ns)) {
      continue;
    }
    if (service.ns.view() == client_ns) {
      return &service;
    }
    first = first == nullptr ? &service : first;
    canonical = service.canonical ? &service : canonical;
  }
  return canonical == nullptr ? first : canonical;
}

const Service* bestOf(const std::vector<CidrEntry>& entries, const NetworkAddress& address,
                      std::optional<absl::string_view> client_ns) {
  const Service* best = nullptr;
  std::tuple<bool, uint32_t, bool> best_rank;
  for (const CidrEntry& entry : entries) {
    const Service& service = *entry.slot->service;
    if (!entry.vip.block.contains(address.ip) || !(entry.vip.network == address.network) ||
        !visible(service, client_ns)) {
      continue;
    }
    const std::tuple rank(service.ns.view() == client_ns, entry.vip.block.prefixBits(),
                          service.canonical);
    if (best == nullptr || rank > best_rank) {
      best = &service;
      best_rank = rank;
    }
  }
  return best;
}

} // namespace

TableReader::TableReader(const WorkloadTable& table) : table_(table), indexes_(*table.indexes_) {
  table_.lock_.lockShared();
}

TableReader::~TableReader() { table_.lock_.unlock(); }

const Workload* TableReader::workload(absl::string_view uid) const {
  const auto found = indexes_.workloads.find(uid);
  return found == indexes_.workloads.end() ? nullptr : found->get();
}

const Workload* TableReader::workloadAt(const NetworkAddress& address) const {
  const auto found = indexes_.addresses.find(address);
  return found == indexes_.addresses.end() ? nullptr : found->workload;
}

const Workload* TableReader::workloadByHostname(absl::string_view ns,
                                                absl::string_view hostname) const {
  const auto found = indexes_.hostnames.find(serviceKey(ns, hostname));
  return found == indexes_.hostnames.end() ? nullptr : found->second.front();
}

const Workload* TableReader::localWorkload(absl::string_view name, absl::string_view ns,
                                           absl::string_view service_account) const {
  const LocalKey key{name, ns, service_account};
  const auto found = indexes_.local.lower_bound(key);
  return found == indexes_.local.end() || LocalLess::of(*found) != key ? nullptr : *found;
}

const Service* TableReader::serviceByKey(absl::string_view key) const {
  const auto found = indexes_.services.find(key);
  return found == indexes_.services.end() ? nullptr : found->second->service.get();
}

const Service* TableReader::service(absl::string_view ns, absl::string_view hostname) const {
  return serviceByKey(serviceKey(ns, hostname));
}

const Service* TableReader::serviceByHostname(absl::string_view client_ns,
                                              absl::string_view hostname) const {
  const auto found = indexes_.services_by_hostname.find(hostname);
  return found == indexes_.services_by_hostname.end() ? nullptr : bestOf(found->second, client_ns);
}

const Service* TableReader::serviceAt(const NetworkAddress& address,
                                      std::optional<absl::string_view> client_ns) const {
  if (const auto found = indexes_.vips.find(address); found != indexes_.vips.end()) {
    if (const Service* service = bestOf(found->second, client_ns); service != nullptr) {
      return service;
    }
  }
  return bestOf(indexes_.cidr_vips, address, client_ns);
}

Addressed TableReader::addressed(const NetworkAddress& address,
                                 std::optional<absl::string_view> client_ns) const {
  if (const Workload* workload = workloadAt(address); workload != nullptr) {
    return workload;
  }
  if (const Service* service = serviceAt(address, client_ns); service != nullptr) {
    return service;
  }
  return {};
}

absl::Span<const Endpoint> TableReader::endpoints(const Service& service) const {
  const auto found = indexes_.services.find(service.key.view());
  if (found == indexes_.services.end()) {
    return {};
  }
  return found->second->endpoints;
}

void TableReader::policiesFor(const Workload& workload,
                              absl::FunctionRef<void(const Policy&)> visit,
                              absl::FunctionRef<void(const Text& key)> missing) const {
  const auto visitAll = [&](absl::string_view ns) {
    if (const auto found = indexes_.policies_by_namespace.find(ns);
        found != indexes_.policies_by_namespace.end()) {
      for (const Policy* policy : found->second) {
        visit(*policy);
      }
    }
  };
  visitAll(workload.ns);
  if (!workload.ns.empty()) {
    visitAll("");
  }
  for (const Text& key : workload.extra().authorization_policies) {
    const auto found = indexes_.policies.find(key.view());
    if (found == indexes_.policies.end()) {
      missing(key);
    } else {
      visit(*found->second);
    }
  }
}

void TableReader::forEachWorkload(absl::FunctionRef<void(const Workload&)> visit) const {
  for (const WorkloadRef& workload : indexes_.workloads) {
    visit(*workload);
  }
}

void TableReader::forEachService(absl::FunctionRef<void(const Service&)> visit) const {
  for (const auto& [key, slot] : indexes_.services) {
    if (slot->service) {
      visit(*slot->service);
    }
  }
}

void TableReader::forEachPolicy(absl::FunctionRef<void(const Policy&)> visit) const {
  for (const auto& [key, policy] : indexes_.policies) {
    visit(*policy);
  }
}

void TableReader::forEachStaged(
    absl::FunctionRef<void(const Text& service, absl::Span<const Endpoint>)> visit) const {
  for (const auto& [key, slot] : indexes_.services) {
    if (!slot->service) {
      visit(slot->key, slot->endpoints);
    }
  }
}

} // namespace culvert::mesh
