// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "source/base/mutex.h"
#include "source/event/loop.h"
#include "source/mesh/certificates/certificates.h"
#include "source/mesh/inbound.h"
#include "source/mesh/inbound_connections.h"
#include "source/mesh/loop_watch.h"
#include "source/mesh/node/name_lookups.h"
#include "source/mesh/node/traffic.h"
#include "source/mesh/node/workload_wait.h"
#include "source/mesh/table.h"
#include "source/mesh/table_reader.h"

namespace culvert::mesh {

// Whom a node works for.
struct WorkloadKey {
  std::string name;
  std::string ns;
  std::string service_account;

  // "SERVICE_ACCOUNT.NAMESPACE (NAME)"
  std::string toString() const;
};

// Who a node is.
struct NodeSettings {
  WorkloadKey workload;
  std::string node_name; // Local workloads are of this one; "": of any.
  Text network;
  net::Address readiness_address; // No kind: nowhere.
  net::Address stats_address;     // The same.
  IllegalPorts illegal_ports{/*socks5=*/false};
};

// Why something that needs a Node cannot be configured.
inline constexpr absl::string_view kNoNode =
    "the bootstrap has no extension culvert.bootstrap.mesh";

// What the process knows of the mesh that it is a node of. Filters and transport sockets find it in
// the context that they are made with.
// Threads: main, but for those that say so. Lifetime: the server's.
class Node {
public:
  Node(NodeSettings settings, std::unique_ptr<Certificates> certificates,
       std::unique_ptr<NameLookups> names);
  ~Node();

  const NodeSettings& settings() const { return settings_; } // Any thread.
  const WorkloadTable& table() const { return table_; }      // Any thread.
  WorkloadTable& table() { return table_; }
  Traffic& traffic() const { return traffic_; } // Any thread.
  Certificates& certificates() { return *certificates_; }

  // Of a loop that has connections: before it runs; and of all of them, when they run no more.
  void addLoop(event::Loop& loop);
  void removeLoops();

  // The workload that this node works for; null: it is not in the table, as `noWorkload` says. Any
  // thread.
  WorkloadRef localWorkload(const TableReader& reader) const;
  WorkloadRef localWorkload() const { return localWorkload(TableReader(table_)); }
  std::string noWorkload() const;
  // For a connection of `loop` that has just looked in vain: `done` when it is there, or not in
  // time. Not called once what this returns is gone. Threads: the loop's.
  std::unique_ptr<WorkloadWait> awaitWorkload(event::Loop& loop, std::function<void()> done) const;
  // Its identity as a URI; "": the same. Any thread.
  std::string localIdentity() const;
  // Of workloads without addresses.
  NameLookups& names() const { return *names_; }
  // The node's own families of metrics, in Prometheus's text format. Any thread.
  std::string metrics() const;
  // What a loop lets in. Threads: the loop's.
  InboundConnections& inbound(event::Loop& loop) const;

private:
  struct OfLoop;

  void onUpdate(const Touched& touched);
  void onUpdate(event::Loop& loop, const Touched& touched);

  const NodeSettings settings_;
  WorkloadTable table_;
  mutable Traffic traffic_;
  const std::unique_ptr<Certificates> certificates_;
  const std::unique_ptr<NameLookups> names_;
  std::unique_ptr<WorkloadTable::Watch> watch_;
  std::vector<std::unique_ptr<LoopWatch>> loop_watches_;
  mutable base::Mutex mutex_;
  std::string identity_ CULVERT_GUARDED_BY(mutex_);
};

} // namespace culvert::mesh
