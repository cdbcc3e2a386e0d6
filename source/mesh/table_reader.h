// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "source/mesh/table.h"

namespace culvert::mesh {

// What an address is: neither, a workload, or a service.
using Addressed = std::variant<std::monostate, const Workload*, const Service*>;

// Looks into the table, which does not change meanwhile. Hold it for one decision, and never while
// calling back to anybody: a writer waits for it, and others for the writer. Not to be nested.
//
// Pointers are good for as long as the reader; a WorkloadRef or ServiceRef made of one is good for
// ever.
// Threads: any.
class TableReader {
public:
  explicit TableReader(const WorkloadTable& table);
  ~TableReader();
  TableReader(const TableReader&) = delete;

  const Workload* workload(absl::string_view uid) const;
  // Of several at one address: a pod with HBONE, a pod, one with HBONE, the one that came last.
  const Workload* workloadAt(const NetworkAddress& address) const;
  // The first with that hostname.
  const Workload* workloadByHostname(absl::string_view ns, absl::string_view hostname) const;
  // Of this node: the workload that a proxy works for.
  const Workload* localWorkload(absl::string_view name, absl::string_view ns,
                                absl::string_view service_account) const;

  const Service* service(absl::string_view ns, absl::string_view hostname) const;
  const Service* serviceByKey(absl::string_view key) const;
  // The best of those that the client's namespace sees: its own, a canonical one, the first.
  const Service* serviceByHostname(absl::string_view client_ns, absl::string_view hostname) const;
  // By VIP, exact or in a block. Without a client's namespace all are seen.
  const Service* serviceAt(const NetworkAddress& address,
                           std::optional<absl::string_view> client_ns) const;
  // A workload, if there is one, else a service.
  Addressed addressed(const NetworkAddress& address,
                      std::optional<absl::string_view> client_ns) const;

  // Those of the service's, healthy or not, that workloads or its source name.
  absl::Span<const Endpoint> endpoints(const Service& service) const;

  // Policies for this workload: global, of its namespace, and those that it names. `missing` is
  // told of names that lead to none.
  void policiesFor(const Workload& workload, absl::FunctionRef<void(const Policy&)> visit,
                   absl::FunctionRef<void(const Text& key)> missing) const;

  // For pages and dumps, in no order.
  void forEachWorkload(absl::FunctionRef<void(const Workload&)> visit) const;
  void forEachService(absl::FunctionRef<void(const Service&)> visit) const;
  void forEachPolicy(absl::FunctionRef<void(const Policy&)> visit) const;
  void forEachStaged(
      absl::FunctionRef<void(const Text& service, absl::Span<const Endpoint>)> visit) const;

private:
  const WorkloadTable& table_;
  const TableIndexes& indexes_;
};

} // namespace culvert::mesh
