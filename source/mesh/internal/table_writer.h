// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/types/span.h"
#include "source/mesh/internal/indexes.h"
#include "source/mesh/table.h"

namespace culvert::mesh {

// One update of the table. Readers wait for at most kChangesPerLock changes: indexes that are to
// grow do so beside the table, and what is replaced is freed after the lock.
// Threads: main.
class TableWriter {
public:
  static constexpr size_t kChangesPerLock = 32;

  explicit TableWriter(WorkloadTable& table) : table_(table), indexes_(*table.indexes_) {}

  std::vector<Rejection> apply(absl::Span<const Change> changes);
  const Touched& touched() const { return touched_; }

private:
  void makeRoom(size_t changes);
  void change(const Change& change);

  void upsert(const WorkloadRef& workload);
  void upsert(const ServiceRef& service);
  void upsert(const PolicyRef& policy);
  void remove(const Removal& removal);
  void removeWorkload(absl::string_view uid);
  void removeService(absl::string_view key);
  void removePolicy(absl::string_view key);

  void index(const Workload& workload);
  void unindex(const Workload& workload);
  void indexAddress(const WorkloadAddress& address);
  void unindexAddress(const WorkloadAddress& address);
  bool isLocal(const Workload& workload) const;

  ServiceSlot& slotOf(const Text& key);
  void dropSlotIfEmpty(absl::string_view key);
  void indexVips(ServiceSlot& slot, const Service& service, const Service* old);
  void unindexVips(ServiceSlot& slot, const Service& service, const Service* replacement);

  // The endpoints that an update may have changed are looked at once, when the rest is in place.
  void touchEndpoints(const Workload& workload);
  void touchEndpoints(const Service& service);
  void settleEndpoints();
  std::optional<Endpoint> endpointNow(const ServiceSlot* slot, absl::string_view service,
                                      const Text& uid) const;
  std::vector<Endpoint> merged(const ServiceSlot* slot, absl::string_view service,
                               const absl::btree_set<Text>& uids) const;

  WorkloadTable& table_;
  TableIndexes& indexes_;
  Touched touched_;
  absl::btree_map<Text, absl::btree_set<Text>> touched_endpoints_; // Uids by service.
  // Kept until the lock is given back.
  std::vector<WorkloadRef> old_workloads_;
  std::vector<ServiceRef> old_services_;
  std::vector<PolicyRef> old_policies_;
};

} // namespace culvert::mesh
