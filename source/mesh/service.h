// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "source/mesh/identity.h"
#include "source/mesh/workload.h"

namespace culvert::mesh {

enum class IpFamilies : uint8_t { kAutomatic, kIpv4Only, kIpv6Only, kDual };
enum class Visibility : uint8_t { kPublic, kNamespace };
enum class HealthPolicy : uint8_t { kOnlyHealthy, kAllowAll };

// Which endpoints are preferred (mesh-data-plane 2.5).
struct LoadBalancing {
  enum class Scope : uint8_t { kRegion, kZone, kSubzone, kNode, kCluster, kNetwork };
  enum class Mode : uint8_t { kStandard, kStrict, kFailover, kPassthrough };

  std::vector<Scope> preferences;
  Mode mode = Mode::kStandard;
  HealthPolicy health_policy = HealthPolicy::kOnlyHealthy;

  friend bool operator==(const LoadBalancing&, const LoadBalancing&) = default;
};

struct WeightedWaypoint {
  GatewayAddress destination;
  uint32_t weight = 0; // 0: never chosen.

  friend bool operator==(const WeightedWaypoint&, const WeightedWaypoint&) = default;
};

struct CidrVip {
  Text network;
  IpBlock block;

  friend bool operator==(const CidrVip&, const CidrVip&) = default;
};

// A workload behind a service. The workload itself may be unknown.
struct Endpoint {
  Text uid;
  PortMap ports;
  Health health = Health::kHealthy;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// A service as its source describes it; its endpoints are the table's (TableReader::endpoints).
// Threads: made on main, then any. Fields: mesh-control-plane 2.5 and 4.1.
struct Service : Counted<Service> {
  Text name;
  Text ns;
  Text hostname;
  Text key; // serviceKey(ns, hostname)
  std::vector<NetworkAddress> vips;
  std::vector<CidrVip> cidr_vips;
  PortMap ports; // Target 0: each endpoint has its own.
  std::vector<Text> subject_alt_names;
  std::optional<GatewayAddress> waypoint;
  std::vector<WeightedWaypoint> weighted_waypoints;
  std::optional<LoadBalancing> load_balancing;
  std::vector<Endpoint> endpoints; // Those that the source lists with the service itself.
  IpFamilies ip_families = IpFamilies::kAutomatic;
  Visibility visibility = Visibility::kPublic;
  bool canonical = false;

  LoadBalancing::Mode mode() const;
  bool passthrough() const { return mode() == LoadBalancing::Mode::kPassthrough; }
  bool allowsUnhealthy() const;
  bool visibleTo(absl::string_view client_ns) const;
  // Its subject_alt_names that are identities.
  std::vector<Identity> identities() const;

  friend bool operator==(const Service& a, const Service& b);
};

using ServiceRef = Ref<const Service>;

std::string serviceKey(absl::string_view ns, absl::string_view hostname);

} // namespace culvert::mesh
