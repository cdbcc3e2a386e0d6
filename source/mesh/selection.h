// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "source/base/random.h"
#include "source/mesh/outbound.h"
#include "source/mesh/table_reader.h"

namespace culvert::mesh {

// The steps of routing that are of use by themselves.
// Threads: any. Lifetime: of what is returned, the reader's.

// Waypoints serve ports that their service does not list, if they have an application tunnel.
enum class SelectionMode : uint8_t { kStandard, kWaypoint };

// A workload that was chosen, with the port to reach it at.
struct Upstream {
  const Workload* workload = nullptr;
  const Service* service = nullptr; // Through which it was chosen; may be null.
  uint16_t port = 0;
  // Those of the service, then the workload's own.
  std::vector<Identity> expected() const;
};

// One of the service's endpoints, by preference and weight (mesh-data-plane 2.5).
std::optional<Upstream> balance(const TableReader& table, const Workload& client,
                                const Service& service, uint16_t service_port, SelectionMode mode,
                                base::Random& random);

// What is behind an address: one of a service's endpoints, or the workload itself (2.3).
std::optional<Upstream> upstreamAt(const TableReader& table, const Workload& client,
                                   const NetworkAddress& address, uint16_t port, SelectionMode mode,
                                   base::Random& random);

// What is behind a waypoint's or gateway's address (2.6, 2.7). `target` says which family is
// wanted where the address is a name.
struct GatewayUpstream {
  Upstream upstream;
  Ip target; // For addressOf().
};
std::optional<GatewayUpstream> gatewayUpstream(const TableReader& table, const Workload& client,
                                               const GatewayAddress& gateway, const Ip& target,
                                               SelectionMode mode, base::Random& random);

// The waypoint in front of a service, one of several by weight. Null: there is none.
const GatewayAddress* waypointOf(const Service& service, base::Random& random);
// In front of a workload.
const GatewayAddress* waypointOf(const Workload& workload);

// Which of the workload's addresses is taken for a client of `target` (2.3, IP choice). Nothing if
// it has none that will do.
std::optional<Ip> addressOf(const Upstream& upstream, const Ip& target);

// Whether `workload` stands behind `gateway`: it is an endpoint of that service, or that workload.
// Asked of waypoints, without regard to health and ports.
bool standsBehind(const TableReader& table, const GatewayAddress& gateway,
                  absl::FunctionRef<bool(const Workload&)> is);

} // namespace culvert::mesh
