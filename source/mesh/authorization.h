// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "source/mesh/table_reader.h"
#include "source/net/address.h"

namespace culvert::mesh {

// What policies see of a connection (mesh-data-plane 5.3).
struct AuthorizationRequest {
  Ip source; // The peer of the tunnel, or of the plain connection.
  std::optional<Identity> identity;
  Ip destination;                // The pod.
  uint16_t destination_port = 0; // After all mapping.
};

// Threads: any.
struct Verdict {
  // A line for the log at the level of AUTHZ_POLICY_INFO_LOGGING, or, as a warning, of a policy
  // that a workload names and nobody knows.
  struct Note {
    absl::string_view text; // "deny policy match"
    Text policy;            // "namespace/name"; "": of none in particular.
    bool warning = false;
  };

  bool allowed = true;
  PolicyRef denied_by; // The policy that said so; null: none allowed.
  absl::InlinedVector<Note, 1> notes;

  // "explicitly denied by: namespace/name", or "allow policies exist, but none allowed".
  std::string reason() const;
};

// Whether the connection may be, or may go on, to `workload`.
Verdict authorize(const TableReader& table, const Workload& workload,
                  const AuthorizationRequest& request);

// One policy by itself. Threads: any.
bool matches(const Policy& policy, const AuthorizationRequest& request);

} // namespace culvert::mesh
