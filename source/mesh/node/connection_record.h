// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "source/mesh/service.h"
#include "source/mesh/workload.h"
#include "source/net/address.h"
#include "source/net/connection_info.h"

namespace culvert::mesh {

// What the mesh's filters found out about a connection, for one another and for the access log: in
// the filter state under kKey. Names of fields: those of the access log ("src.workload"), and what
// is sent along with a CONNECT ("authority", "baggage", "forwarded", "traceparent").
// Threads: the connection's worker. Lifetime: the connection's record's.
class ConnectionRecord final : public net::FilterState::Object {
public:
  static constexpr absl::string_view kKey = "culvert.mesh";

  enum class Direction : uint8_t { kOutbound, kInbound };

  explicit ConnectionRecord(Direction where) : direction(where) {}

  // Makes one and leaves it with the connection.
  static std::shared_ptr<ConnectionRecord> leaveWith(net::ConnectionInfo& info, Direction where);
  // Null: no filter of the mesh has seen the connection.
  static const ConnectionRecord* of(const net::ConnectionInfo& info);

  std::string serialize() const override { return error; }
  std::optional<std::string> field(absl::string_view name) const override;

  const Direction direction;
  bool tunnelled = false;      // By HBONE; else in plain text.
  bool known = false;          // All below is: else only the addresses and the error.
  net::Address source;         // Whoever connected, of a tunnel the other node.
  net::Address destination;    // The next hop; of what comes in, our own address.
  net::Address target;         // Of what comes in: where the application listens.
  std::string hbone_address;   // What the CONNECT asks for.
  WorkloadRef source_workload; // May be null, as those below.
  WorkloadRef destination_workload;
  ServiceRef service;
  std::optional<Identity> source_identity;      // Proved by a certificate.
  std::optional<Identity> destination_identity; // The same.
  std::string trace;                            // The header "traceparent".
  // What went wrong before there was an upstream connection, or since; "": nothing.
  mutable std::string error;
  mutable bool denied = false; // By a policy.
};

} // namespace culvert::mesh
