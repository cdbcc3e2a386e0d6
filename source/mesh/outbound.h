// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "source/base/random.h"
#include "source/mesh/table_reader.h"
#include "source/net/address.h"

namespace culvert::mesh {

// Where a connection of a local workload goes, and how (mesh-data-plane 2.2-2.8).
// Threads: any.

constexpr uint16_t kHbonePort = 15008;

struct OutboundRequest {
  const Workload& source; // The local workload.
  Ip peer;                // The application's address.
  net::Address target;    // Where it wanted to go.
  Text network;           // This node's (NETWORK).
  uint16_t hbone_port = kHbonePort;
};

// A workload without addresses: its name is to be looked up (off the worker), then resolveRoute().
struct HostnameToResolve {
  std::string hostname;
  bool prefer_v6 = false; // The family that the client uses; the other one will do.
};

struct Route {
  enum class Kind : uint8_t {
    kTcp,         // Connect to `destination`, plain bytes.
    kHbone,       // CONNECT `authority` in a tunnel to `destination`.
    kDoubleHbone, // The same, and in that stream once more, to one of `inner_expected`.
  };

  Kind kind = Kind::kTcp;
  // With only a port while `unresolved` is there.
  net::Address destination;
  std::string authority;                // Of a tunnel, both of them if there are two. "" for kTcp.
  std::vector<Identity> expected;       // One of these is at `destination`. Never to be skipped.
  std::vector<Identity> inner_expected; // Of kDoubleHbone: one of these is in the inner tunnel.
  // For telemetry; null when nothing is known of the destination. The gateway of kDoubleHbone.
  WorkloadRef workload;
  ServiceRef service;
  std::optional<HostnameToResolve> unresolved;
  // The address of `destination` belongs into `authority` too, in front of this port. 0: it is
  // there already.
  uint16_t authority_port = 0;
};

// No connection is made; the access log's error.
struct RouteDenied {
  std::string error;
};

using RouteResult = std::variant<Route, RouteDenied>;

// Balances anew with each call. `random` is the caller's thread's.
RouteResult routeOutbound(const TableReader& table, const OutboundRequest& request,
                          base::Random& random);

// With the addresses that the name of route.unresolved has. Errors: it has none, as the access log
// says it.
absl::Status resolveRoute(Route& route, absl::Span<const net::Address> addresses,
                          base::Random& random);
// What the access log says if the name could not be looked up.
std::string unresolvedError(const Route& route);

} // namespace culvert::mesh
