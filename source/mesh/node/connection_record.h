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
#include "source/net/expected_peer.h"

namespace culvert::mesh {

class CountedConnection;

// Why an upstream connection came to nothing.
struct ConnectFailure {
  enum class Kind : uint8_t {
    kTimeout, // Nobody answered in time.
    kTunnel,  // The tunnel was there, and did not answer the CONNECT.
    kOther,
  };
  Kind kind = Kind::kOther;
  std::string reason; // As the transport says it; "" of a timeout.
};

// What the mesh's filters found out about a connection, for one another and for the access log: in
// the filter state under kKey. Names of fields: those of the access log ("src.workload"), and what
// is sent along with a CONNECT ("authority", "baggage", "forwarded", "traceparent",
// "forwarded_network").
// Threads: the connection's worker. Lifetime: the connection's record's.
class ConnectionRecord final : public net::FilterState::Object {
public:
  static constexpr absl::string_view kKey = "culvert.mesh";

  enum class Direction : uint8_t { kOutbound, kInbound };

  // The way to another network: a tunnel to its gateway, and in that one a tunnel to the workload.
  // The connection that carries the inner one has this record, too.
  struct Crossing {
    std::shared_ptr<net::ExpectedPeer> gateway; // Who is at `destination`.
    std::string network;                        // Where the connection comes from.
    // Of the way to the gateway. Nothing: it was reached, or may be yet.
    std::optional<ConnectFailure> failure;
  };

  explicit ConnectionRecord(Direction where);
  ~ConnectionRecord() override;

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
  std::unique_ptr<Crossing> crossing;           // Null: it stays in its network.
  // What went wrong before there was an upstream connection, or since; "": nothing.
  mutable std::string error;
  mutable bool denied = false; // By a policy.
  // How it counts; null: not yet, for who is at the other end is not known.
  std::unique_ptr<CountedConnection> counted;
};

} // namespace culvert::mesh
