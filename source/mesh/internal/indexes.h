// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "source/mesh/policy.h"
#include "source/mesh/service.h"
#include "source/mesh/workload.h"

namespace culvert::mesh {

// By uid, which is in the record.
struct UidOf {
  using is_transparent = void;
  static absl::string_view of(absl::string_view uid) { return uid; }
  static absl::string_view of(const WorkloadRef& workload) { return workload->uid; }
};
struct UidHash : UidOf {
  template <class T> size_t operator()(const T& value) const { return absl::HashOf(of(value)); }
};
struct UidSame : UidOf {
  template <class A, class B> bool operator()(const A& a, const B& b) const {
    return of(a) == of(b);
  }
};

// One address of a workload: the key is in the record, too.
struct WorkloadAddress {
  const Workload* workload;
  uint32_t ip_index;

  const Ip& ip() const { return workload->ips[ip_index]; }
  absl::string_view network() const { return workload->network; }
};
struct AddressOf {
  using is_transparent = void;
  using View = std::pair<absl::string_view, const Ip&>;
  static View of(const NetworkAddress& address) { return {address.network, address.ip}; }
  static View of(const WorkloadAddress& address) { return {address.network(), address.ip()}; }
};
struct AddressHash : AddressOf {
  template <class T> size_t operator()(const T& value) const { return absl::HashOf(of(value)); }
};
struct AddressSame : AddressOf {
  template <class A, class B> bool operator()(const A& a, const B& b) const {
    return of(a) == of(b);
  }
};

// Whom a proxy may work for, by what it knows of itself: name, namespace, service account.
using LocalKey = std::tuple<absl::string_view, absl::string_view, absl::string_view>;
struct LocalLess {
  using is_transparent = void;
  static LocalKey of(const Workload* w) {
    return {w->name.view(), w->ns.view(), w->service_account.view()};
  }
  bool operator()(const Workload* a, const Workload* b) const {
    return std::tuple_cat(of(a), std::tuple(a->uid.view())) <
           std::tuple_cat(of(b), std::tuple(b->uid.view()));
  }
  bool operator()(const Workload* a, const LocalKey& b) const { return of(a) < b; }
  bool operator()(const LocalKey& a, const Workload* b) const { return a < of(b); }
};

// A service with its endpoints, or endpoints whose service is still to come.
struct ServiceSlot : Counted<ServiceSlot> {
  Text key;
  ServiceRef service;              // Null: they are staged.
  std::vector<Endpoint> endpoints; // By uid.
};
using ServiceSlots = absl::InlinedVector<ServiceSlot*, 1>;

struct TextHash {
  using is_transparent = void;
  size_t operator()(absl::string_view text) const { return absl::HashOf(text); }
};
struct TextSame {
  using is_transparent = void;
  bool operator()(absl::string_view a, absl::string_view b) const { return a == b; }
};
template <class T> using ByText = absl::flat_hash_map<Text, T, TextHash, TextSame>;

struct CidrEntry {
  CidrVip vip;
  ServiceSlot* slot;
};

// All ways into the table. Records belong to `workloads`, slots and `policies`; the rest points to
// them.
struct TableIndexes {
  absl::flat_hash_set<WorkloadRef, UidHash, UidSame> workloads;
  // The best workload at each address, and all of them, oldest first, where there are several.
  absl::flat_hash_set<WorkloadAddress, AddressHash, AddressSame> addresses;
  absl::flat_hash_map<NetworkAddress, std::vector<WorkloadAddress>> shared_addresses;
  ByText<std::vector<const Workload*>> hostnames; // "namespace/hostname" of workloads.
  absl::btree_set<const Workload*, LocalLess> local;

  ByText<Ref<ServiceSlot>> services;
  ByText<ServiceSlots> services_by_hostname;
  absl::flat_hash_map<NetworkAddress, ServiceSlots> vips;
  std::vector<CidrEntry> cidr_vips;

  // Erased since the index was copied: each may have left a mark that takes room.
  size_t workloads_erased = 0;
  size_t addresses_erased = 0;

  ByText<PolicyRef> policies;
  ByText<std::vector<const Policy*>> policies_by_namespace; // "": global ones.
};

} // namespace culvert::mesh
