// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "source/mesh/policy.h"
#include "source/mesh/service.h"
#include "source/mesh/table_lock.h"
#include "source/mesh/workload.h"

namespace culvert::mesh {

struct TableIndexes;

enum class ResourceKind : uint8_t { kWorkload, kService, kPolicy };

// Takes out what has this key: a workload's uid, a service's "namespace/hostname", a policy's key.
// What is not there is no error.
struct Removal {
  ResourceKind kind;
  std::string key;
};

// One step of an update. What has the same key is replaced.
using Change = std::variant<WorkloadRef, ServiceRef, PolicyRef, Removal>;

// A change that was refused; the others of its update count all the same.
struct Rejection {
  size_t index; // Of the change.
  std::string reason;
};

// What an update touched.
struct Touched {
  bool workloads = false;
  bool services = false;
  bool policies = false;

  bool any() const { return workloads || services || policies; }
};

// Every workload, service and policy of the mesh that this node knows, and the ways to find them
// (mesh-control-plane 5).
//
// One thread writes. Readers on all threads take a TableReader for as long as one decision lasts; a
// writer makes everything new beside the table and takes the lock only to put it in, a bounded
// number of entries at a time.
//
// Threads: main writes, watches and has the pool; TableReader and the versions are for any.
// Lifetime: outlives its readers and watches; records outlive it.
class WorkloadTable {
public:
  // Only workloads of this node can be a local one; "": all can (NODE_NAME unset).
  explicit WorkloadTable(std::string node_name = "");
  ~WorkloadTable();
  WorkloadTable(const WorkloadTable&) = delete;

  // For the texts of records to be applied.
  TextPool& texts() { return texts_; }

  // Changes in their order; in the end, once for each service, endpoints. A record that equals the
  // one in the table touches nothing. Watches are told before it returns.
  std::vector<Rejection> apply(absl::Span<const Change> changes);

  // Calls back after each update that touched something, on main, with no lock held.
  class Watch {
  public:
    ~Watch();
    Watch(const Watch&) = delete;

  private:
    friend class WorkloadTable;
    Watch(WorkloadTable& table, std::function<void(const Touched&)> callback)
        : table_(table), callback_(std::move(callback)) {}

    WorkloadTable& table_;
    std::function<void(const Touched&)> callback_;
  };
  std::unique_ptr<Watch> watch(std::function<void(const Touched&)> callback);

  // Grow by one with each update that touched a policy, or a workload. A verdict or a record of
  // an older version may be taken again. Any thread.
  uint64_t policyVersion() const { return policy_version_.load(std::memory_order_acquire); }
  uint64_t workloadVersion() const { return workload_version_.load(std::memory_order_acquire); }

  const std::string& nodeName() const { return node_name_; }

  struct Sizes {
    size_t workloads = 0;
    size_t services = 0;
    size_t policies = 0;
    size_t staged = 0; // Services that have endpoints, but are not there themselves.
    size_t texts = 0;
  };
  Sizes sizes() const; // Main.

private:
  friend class TableReader;
  friend class TableWriter;

  void tell(const Touched& touched);

  const std::string node_name_;
  TextPool texts_;
  mutable TableLock lock_;
  // Written by main under the lock; read by main without, by all others with a reader's.
  const std::unique_ptr<TableIndexes> indexes_;
  std::vector<Watch*> watches_;
  std::atomic<uint64_t> policy_version_{0};
  std::atomic<uint64_t> workload_version_{0};
};

} // namespace culvert::mesh
