// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/filters/rbac/condition.h"

namespace envoy::config::rbac::v3 {
class RBAC;
}

namespace culvert::rbac {

enum class Action : uint8_t { kAllow, kDeny, kLog };

// What rules say of a connection. `policy` is the first that matched, in the order of their names,
// or null; it lives as long as the rules.
struct Verdict {
  bool allowed;
  const std::string* policy;
};

// Policies and what it means to match one, compiled.
// Threads: made on main, then any.
class Rules {
public:
  // Errors: begin with the path below the message: ".policies[name].permissions[0].any: ...".
  static absl::StatusOr<std::unique_ptr<const Rules>>
  create(const envoy::config::rbac::v3::RBAC& config);

  Verdict ask(const net::ConnectionInfo& info) const;
  Action action() const { return action_; }
  // Whether the verdict needs nothing that only a handshake or bytes of the peer can tell.
  bool knownAtAccept() const { return known_at_accept_; }

private:
  struct Policy {
    std::string name;
    Condition permission;
    Condition principal;
  };

  explicit Rules(Action action) : action_(action) {}

  const Action action_;
  bool known_at_accept_ = true;
  std::vector<Policy> policies_; // By name.
};

} // namespace culvert::rbac
