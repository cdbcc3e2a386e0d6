// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/selection.h"

#include <algorithm>

namespace culvert::mesh {
namespace {

using Scope = LoadBalancing::Scope;

bool sameIn(Scope scope, const Workload& a, const Workload& b) {
  switch (scope) {
  case Scope::kRegion:
    return a.locality.region == b.locality.region;
  case Scope::kZone:
    return a.locality.zone == b.locality.zone;
  case Scope::kSubzone:
    return a.locality.subzone == b.locality.subzone;
  case Scope::kNode:
    return a.node == b.node;
  case Scope::kCluster:
    return a.cluster_id == b.cluster_id;
  case Scope::kNetwork:
    return a.network == b.network;
  }
  return false;
}

// How well an endpoint fits a client, or nothing if it may not be chosen. A network that comes
// first in the list outweighs everything behind it, and does not stop the walk (2.5).
std::optional<size_t> rank(const LoadBalancing& balancing, const Workload& client,
                           const Workload& endpoint) {
  const std::vector<Scope>& wanted = balancing.preferences;
  const bool network_first = !wanted.empty() && wanted.front() == Scope::kNetwork;
  size_t matched = 0;
  size_t extra = 0;
  for (const Scope scope : wanted) {
    const bool weighty = network_first && scope == Scope::kNetwork;
    if (sameIn(scope, client, endpoint)) {
      matched++;
      extra += weighty ? wanted.size() - 1 : 0;
    } else if (!weighty) {
      break;
    }
  }
  if (balancing.mode == LoadBalancing::Mode::kStrict && matched != wanted.size()) {
    return std::nullopt;
  }
  return matched + extra;
}

bool reachable(const Workload& client, const Workload& workload) {
  return !workload.ips.empty() || !workload.extra().hostname.empty() ||
         (!(workload.network == client.network) && workload.extra().network_gateway.has_value());
}

bool servesPort(const std::optional<uint16_t>& target, const Endpoint& endpoint,
                const Workload& workload, uint16_t service_port, SelectionMode mode) {
  if (mode == SelectionMode::kWaypoint) {
    return target.has_value() || workload.extra().app_tunnel.present();
  }
  return target != 0 || endpoint.ports.find(service_port).has_value();
}

std::optional<uint16_t> portOf(const std::optional<uint16_t>& target, const Endpoint& endpoint,
                               const Workload& workload, uint16_t service_port) {
  if (const auto mapped = endpoint.ports.find(service_port); mapped.has_value()) {
    return mapped;
  }
  if (target.value_or(0) != 0) {
    return target;
  }
  return workload.extra().app_tunnel.port != 0 ? std::optional(service_port) : std::nullopt;
}

// Draws one of what it was shown, by weight, among those of the highest rank.
class Draw {
public:
  explicit Draw(base::Random& random) : random_(random) {}

  void show(size_t rank, uint32_t weight, const Endpoint& endpoint, const Workload& workload) {
    if (rank > rank_) {
      rank_ = rank;
      weights_ = 0;
      endpoint_ = nullptr;
    }
    if (rank < rank_ || weight == 0) {
      return;
    }
    weights_ += weight;
    if (random_.below(weights_) < weight) {
      endpoint_ = &endpoint;
      workload_ = &workload;
    }
  }
  const Endpoint* endpoint() const { return endpoint_; }
  const Workload* workload() const { return workload_; }

private:
  base::Random& random_;
  size_t rank_ = 0;
  uint64_t weights_ = 0;
  const Endpoint* endpoint_ = nullptr;
  const Workload* workload_ = nullptr;
};

bool allowed(IpFamilies families, const Ip& ip) {
  return families == IpFamilies::kIpv4Only   ? ip.isV4()
         : families == IpFamilies::kIpv6Only ? !ip.isV4()
                                             : true;
}

} // namespace

std::vector<Identity> Upstream::expected() const {
  std::vector<Identity> identities =
      service == nullptr ? std::vector<Identity>() : service->identities();
  identities.push_back(workload->identity());
  return identities;
}

std::optional<Upstream> balance(const TableReader& table, const Workload& client,
                                const Service& service, uint16_t service_port, SelectionMode mode,
                                base::Random& random) {
  const std::optional<uint16_t> target = service.ports.find(service_port);
  if (mode == SelectionMode::kStandard && !target.has_value()) {
    return std::nullopt;
  }
  Draw draw(random);
  for (const Endpoint& endpoint : table.endpoints(service)) {
    const Workload* workload = table.workload(endpoint.uid);
    if (workload == nullptr || !reachable(client, *workload) ||
        (endpoint.health == Health::kUnhealthy && !service.allowsUnhealthy()) ||
        !servesPort(target, endpoint, *workload, service_port, mode)) {
      continue;
    }
    const auto fit = service.mode() == LoadBalancing::Mode::kStandard
                         ? std::optional<size_t>(0)
                         : rank(*service.load_balancing, client, *workload);
    if (fit.has_value()) {
      draw.show(*fit, workload->capacity, endpoint, *workload);
    }
  }
  if (draw.endpoint() == nullptr) {
    return std::nullopt;
  }
  const auto port = portOf(target, *draw.endpoint(), *draw.workload(), service_port);
  if (!port.has_value()) {
    return std::nullopt;
  }
  return Upstream{draw.workload(), &service, *port};
}

std::optional<Upstream> upstreamAt(const TableReader& table, const Workload& client,
                                   const NetworkAddress& address, uint16_t port, SelectionMode mode,
                                   base::Random& random) {
  if (const Service* service = table.serviceAt(address, client.ns.view()); service != nullptr) {
    return service->passthrough() ? std::nullopt
                                  : balance(table, client, *service, port, mode, random);
  }
  if (const Workload* workload = table.workloadAt(address); workload != nullptr) {
    return Upstream{workload, nullptr, port};
  }
  return std::nullopt;
}

std::optional<GatewayUpstream> gatewayUpstream(const TableReader& table, const Workload& client,
                                               const GatewayAddress& gateway, const Ip& target,
                                               SelectionMode mode, base::Random& random) {
  const uint16_t port = gateway.hbone_mtls_port;
  std::optional<Upstream> upstream;
  if (const auto* at = std::get_if<NetworkAddress>(&gateway.destination); at != nullptr) {
    upstream = upstreamAt(table, client, *at, port, mode, random);
    return upstream.has_value() ? std::optional(GatewayUpstream{*upstream, at->ip}) : std::nullopt;
  }
  const auto& name = std::get<NamespacedHostname>(gateway.destination);
  if (const Service* service = table.service(name.ns, name.hostname); service != nullptr) {
    upstream = balance(table, client, *service, port, mode, random);
  } else if (const Workload* workload = table.workloadByHostname(name.ns, name.hostname);
             workload != nullptr) {
    upstream = Upstream{workload, nullptr, port};
  }
  return upstream.has_value() ? std::optional(GatewayUpstream{*upstream, target}) : std::nullopt;
}

const GatewayAddress* waypointOf(const Service& service, base::Random& random) {
  const GatewayAddress* drawn = nullptr;
  uint64_t weights = 0;
  for (const WeightedWaypoint& waypoint : service.weighted_waypoints) {
    weights += waypoint.weight;
    if (waypoint.weight != 0 && random.below(weights) < waypoint.weight) {
      drawn = &waypoint.destination;
    }
  }
  if (drawn != nullptr) {
    return drawn;
  }
  return service.waypoint.has_value() ? &*service.waypoint : nullptr;
}

const GatewayAddress* waypointOf(const Workload& workload) {
  const auto& waypoint = workload.extra().waypoint;
  return waypoint.has_value() ? &*waypoint : nullptr;
}

std::optional<Ip> addressOf(const Upstream& upstream, const Ip& target) {
  const Workload& workload = *upstream.workload;
  if (workload.hasIp(target)) {
    return target;
  }
  const IpFamilies families =
      upstream.service == nullptr ? IpFamilies::kAutomatic : upstream.service->ip_families;
  std::optional<Ip> other;
  for (const Ip& ip : workload.ips) {
    if (!allowed(families, ip)) {
      continue;
    }
    if (ip.isV4() == target.isV4()) {
      return ip;
    }
    other = other.has_value() ? other : ip;
  }
  return other;
}

bool standsBehind(const TableReader& table, const GatewayAddress& gateway,
                  absl::FunctionRef<bool(const Workload&)> is) {
  const Service* service = nullptr;
  const Workload* workload = nullptr;
  if (const auto* at = std::get_if<NetworkAddress>(&gateway.destination); at != nullptr) {
    service = table.serviceAt(*at, std::nullopt);
    workload = table.workloadAt(*at);
  } else {
    const auto& name = std::get<NamespacedHostname>(gateway.destination);
    service = table.service(name.ns, name.hostname);
    workload = table.workloadByHostname(name.ns, name.hostname);
  }
  if (workload != nullptr && is(*workload)) {
    return true;
  }
  const auto endpoints =
      service == nullptr ? absl::Span<const Endpoint>() : table.endpoints(*service);
  return std::any_of(endpoints.begin(), endpoints.end(), [&](const Endpoint& endpoint) {
    const Workload* behind = table.workload(endpoint.uid);
    return behind != nullptr && is(*behind);
  });
}

} // namespace culvert::mesh
