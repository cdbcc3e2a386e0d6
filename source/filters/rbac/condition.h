// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "source/net/connection_info.h"

namespace envoy::config::rbac::v3 {
class Permission;
class Principal;
} // namespace envoy::config::rbac::v3

namespace culvert::rbac {

// What is asked of a connection, compiled. Threads: made on main, then any; asking allocates
// nothing.
struct Condition {
  std::function<bool(const net::ConnectionInfo&)> holds;
  // Whether the answer is known when the connection is accepted: it depends on addresses and the
  // server name only.
  bool known_at_accept = true;
};

Condition allOf(std::vector<Condition> conditions);
Condition anyOf(std::vector<Condition> conditions);

// Errors: begin with the path below the message: ".and_rules.rules[1].destination_port_range: ...".
absl::StatusOr<Condition> makePermission(const envoy::config::rbac::v3::Permission& config);
absl::StatusOr<Condition> makePrincipal(const envoy::config::rbac::v3::Principal& config);

} // namespace culvert::rbac
