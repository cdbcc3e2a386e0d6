// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/config/internal/node_fields.h"
#include "source/mesh/policy.h"
#include "source/mesh/service.h"
#include "source/mesh/workload.h"

namespace culvert::config {

// Entries of the mesh's local file as records of the table (mesh-control-plane 2.5).
// Threads: that of `texts`. Errors: in the value's problems; then the record is of no use.
class MeshRecords {
public:
  explicit MeshRecords(mesh::TextPool& texts) : texts_(texts) {}

  mesh::WorkloadRef workload(const NodeValue& value);
  mesh::ServiceRef service(const NodeValue& value);
  mesh::PolicyRef policy(const NodeValue& value);

private:
  void readNames(NodeFields& fields, mesh::Workload& workload);
  void readExtras(NodeFields& fields, mesh::Workload& workload);
  void readMemberships(const NodeValue& value, mesh::Workload& workload);
  void readWaypoints(NodeFields& fields, mesh::Service& service);
  void readEndpoints(const NodeValue& value, mesh::Service& service);
  mesh::LoadBalancing loadBalancing(const NodeValue& value);
  mesh::GatewayAddress gateway(const NodeValue& value);
  mesh::PortMap ports(const NodeValue& value);
  mesh::NetworkAddress vip(const NodeValue& value);
  mesh::CidrVip cidrVip(const NodeValue& value);

  mesh::PolicyRule rule(const NodeValue& value);
  mesh::PolicyMatch match(const NodeValue& value);
  mesh::TextMatch textMatch(const NodeValue& value);
  mesh::ServiceAccountMatch serviceAccount(const NodeValue& value);
  // Tests of a list and of its negative, which is spelled notList.
  template <class Read>
  void readTests(NodeFields& fields, absl::string_view list, mesh::Attribute attribute, Read read,
                 mesh::PolicyMatch& match);

  mesh::Text intern(absl::string_view text) { return texts_.intern(text); }
  mesh::Text text(NodeFields& fields, absl::string_view name) { return intern(fields.text(name)); }
  mesh::Text requiredText(NodeFields& fields, absl::string_view name);
  mesh::Text namespaceText(NodeFields& fields);
  std::vector<mesh::Text> textList(NodeFields& fields, absl::string_view name);

  mesh::TextPool& texts_;
};

} // namespace culvert::config
