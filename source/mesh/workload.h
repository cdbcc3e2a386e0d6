// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "source/mesh/identity.h"
#include "source/mesh/ip.h"
#include "source/mesh/port_map.h"
#include "source/mesh/ref.h"
#include "source/mesh/text.h"

namespace culvert::mesh {

// The mesh's records as plain structs: whoever reads them from a file or a control plane fills them
// with texts of the table's pool. In the table they are immutable and shared: a reader keeps what
// it found for as long as it wants, whatever becomes of the table. Threads: made on main, then any.
// Fields: mesh-control-plane 2.5 and 4.1.

enum class TunnelProtocol : uint8_t { kTcp, kHbone };
enum class NetworkMode : uint8_t { kStandard, kHostNetwork };
enum class Health : uint8_t { kHealthy, kUnhealthy };

struct Locality {
  Text region;
  Text zone;
  Text subzone;

  friend bool operator==(const Locality&, const Locality&) = default;
};

struct NetworkAddress {
  Text network;
  Ip ip;

  friend bool operator==(const NetworkAddress&, const NetworkAddress&) = default;
  template <typename H> friend H AbslHashValue(H h, const NetworkAddress& address) {
    return H::combine(std::move(h), address.network, address.ip);
  }
};

struct NamespacedHostname {
  Text ns;
  Text hostname;

  friend bool operator==(const NamespacedHostname&, const NamespacedHostname&) = default;
};

// Where a waypoint or a network's gateway is.
struct GatewayAddress {
  std::variant<NetworkAddress, NamespacedHostname> destination;
  uint16_t hbone_mtls_port = 0;

  std::string toString() const; // "network/1.2.3.4:15008", "ns/hostname:15008"

  friend bool operator==(const GatewayAddress&, const GatewayAddress&) = default;
};

// How a workload wants its connections to arrive: at another port, behind a PROXY header.
struct AppTunnel {
  enum class Protocol : uint8_t { kAbsent, kNone, kProxy };
  Protocol protocol = Protocol::kAbsent;
  uint16_t port = 0; // 0: unset.

  bool present() const { return protocol != Protocol::kAbsent; }
  friend bool operator==(const AppTunnel&, const AppTunnel&) = default;
};

// That a workload is an endpoint of a service.
struct Membership {
  Text service; // "namespace/hostname"
  PortMap ports;

  friend bool operator==(const Membership&, const Membership&) = default;
};

// What few workloads have.
struct WorkloadExtras {
  std::optional<GatewayAddress> waypoint;
  std::optional<GatewayAddress> network_gateway;
  std::vector<Text> authorization_policies; // Keys "namespace/name" of selector policies.
  Text hostname;
  AppTunnel app_tunnel;

  friend bool operator==(const WorkloadExtras&, const WorkloadExtras&) = default;
};

struct Workload : Counted<Workload> {
  Text uid;
  Text name;
  Text ns;
  Text service_account;
  Text trust_domain;
  Text network;
  Text node;
  Text cluster_id;
  Text workload_name;
  Text workload_type; // "deployment", "cronjob", "pod", "job"
  Text canonical_name;
  Text canonical_revision;
  Locality locality;
  absl::InlinedVector<Ip, 1> ips;
  std::vector<Membership> services;
  std::unique_ptr<const WorkloadExtras> extras; // Null: all of it is at its default.
  uint32_t capacity = 1;                        // Its weight; 0: never chosen.
  TunnelProtocol protocol = TunnelProtocol::kTcp;
  NetworkMode network_mode = NetworkMode::kStandard;
  Health health = Health::kHealthy;
  bool native_tunnel = false;

  const WorkloadExtras& extra() const; // Never null.
  Identity identity() const { return {trust_domain, ns, service_account}; }
  bool hasIp(const Ip& ip) const;
  bool isPod() const; // As the control plane writes uids: "CLUSTER//Pod/NAMESPACE/NAME".

  friend bool operator==(const Workload& a, const Workload& b);
};

using WorkloadRef = Ref<const Workload>;

} // namespace culvert::mesh
