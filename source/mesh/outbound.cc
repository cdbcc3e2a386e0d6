// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/outbound.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "source/mesh/selection.h"

namespace culvert::mesh {
namespace {

// The decision tree of mesh-data-plane 2.2, whose steps are named there A to E.
class Router {
public:
  Router(const TableReader& table, const OutboundRequest& request, base::Random& random)
      : table_(table), request_(request), random_(random), target_(Ip::of(request.target)) {}

  RouteResult route() const {
    const Addressed addressed =
        table_.addressed({request_.network, target_}, request_.source.ns.view()); // A
    const auto* found = std::get_if<const Service*>(&addressed);
    const Service* service = found == nullptr ? nullptr : *found;
    if (service != nullptr) {
      if (const GatewayAddress* waypoint = waypointOf(*service, random_); waypoint != nullptr) {
        return throughWaypoint(*waypoint, service, /*other_networks=*/true);
      }
    }
    const auto upstream =
        upstreamAt(table_, request_.source, {request_.source.network, target_},
                   request_.target.port(), SelectionMode::kStandard, random_); // B
    if (!upstream.has_value()) {
      return service == nullptr || service->passthrough()
                 ? RouteResult(passthrough())
                 : denied("no healthy upstream: ", request_.target.toString());
    }
    return toUpstream(*upstream, service);
  }

private:
  static RouteResult denied(absl::string_view text, absl::string_view what) {
    return RouteDenied{absl::StrCat(text, what)};
  }

  Route passthrough() const {
    Route route;
    route.destination = request_.target;
    return route;
  }

  RouteResult toUpstream(const Upstream& upstream, const Service* service) const {
    if (!(upstream.workload->network == request_.source.network)) { // C
      return service == nullptr
                 ? denied("no service for target address: ", request_.target.toString())
                 : throughGateway(upstream, *service);
    }
    const GatewayAddress* waypoint = waypointOf(*upstream.workload); // D
    if (waypoint != nullptr && service == nullptr && !comesFrom(*waypoint)) {
      return throughWaypoint(*waypoint, upstream.service, /*other_networks=*/false);
    }
    return direct(upstream); // E
  }

  // What a waypoint sends on does not go through it again.
  bool comesFrom(const GatewayAddress& waypoint) const {
    const Identity client = request_.source.identity();
    return standsBehind(table_, waypoint, [&](const Workload& workload) {
      return workload.hasIp(request_.peer) && workload.identity() == client;
    });
  }

  RouteResult throughWaypoint(const GatewayAddress& waypoint, const Service* service,
                              bool other_networks) const {
    const auto found = gatewayUpstream(table_, request_.source, waypoint, target_,
                                       SelectionMode::kWaypoint, random_);
    if (!found.has_value()) {
      return denied("unknown waypoint: waypoint ", absl::StrCat(nameOf(waypoint), " not found"));
    }
    const Upstream& upstream = found->upstream;
    if (other_networks && !(upstream.workload->network == request_.source.network)) {
      return throughGateway(upstream, *service);
    }
    Route route;
    route.kind = Route::Kind::kHbone;
    route.authority = request_.target.toString();
    route.expected = upstream.expected();
    route.workload = WorkloadRef(upstream.workload);
    route.service = ServiceRef(service);
    return placed(std::move(route), upstream, found->target, upstream.port);
  }

  RouteResult throughGateway(const Upstream& upstream, const Service& service) const {
    const auto& gateway = upstream.workload->extra().network_gateway;
    if (!gateway.has_value()) {
      return denied("no valid routing destination for workload: ", upstream.workload->uid);
    }
    const auto found = gatewayUpstream(table_, request_.source, *gateway, target_,
                                       SelectionMode::kStandard, random_);
    if (!found.has_value()) {
      return denied("unknown network gateway: network gateway ",
                    absl::StrCat(nameOf(*gateway), " not found"));
    }
    Route route;
    route.kind = Route::Kind::kDoubleHbone;
    route.authority = absl::StrCat(service.hostname.view(), ":", request_.target.port());
    route.expected = found->upstream.expected();
    if (upstream.service != nullptr) {
      route.inner_expected = upstream.service->identities();
    }
    route.workload = WorkloadRef(found->upstream.workload);
    route.service = ServiceRef(&service);
    return placed(std::move(route), found->upstream, found->target, found->upstream.port);
  }

  RouteResult direct(const Upstream& upstream) const {
    Route route;
    route.workload = WorkloadRef(upstream.workload);
    route.service = ServiceRef(upstream.service);
    if (upstream.workload->protocol == TunnelProtocol::kTcp) {
      return placed(std::move(route), upstream, target_, upstream.port);
    }
    route.kind = Route::Kind::kHbone;
    route.expected = upstream.expected();
    route.authority_port = upstream.port;
    return placed(std::move(route), upstream, target_, request_.hbone_port);
  }

  RouteResult placed(Route route, const Upstream& upstream, const Ip& target, uint16_t port) const {
    if (const auto ip = addressOf(upstream, target); ip.has_value()) {
      route.destination = ip->withPort(port);
      if (route.authority_port != 0) {
        route.authority = route.destination.withPort(route.authority_port).toString();
        route.authority_port = 0;
      }
      return route;
    }
    const Text& hostname = upstream.workload->extra().hostname;
    if (hostname.empty()) {
      return denied("no valid routing destination for workload: ", upstream.workload->uid);
    }
    route.destination = Ip().withPort(port);
    route.unresolved = HostnameToResolve{hostname.string(), !target.isV4()};
    return route;
  }

  // A name that nobody has by itself, and everything else with network or namespace and port.
  std::string nameOf(const GatewayAddress& gateway) const {
    const auto* name = std::get_if<NamespacedHostname>(&gateway.destination);
    const bool unknown = name != nullptr && table_.service(name->ns, name->hostname) == nullptr &&
                         table_.workloadByHostname(name->ns, name->hostname) == nullptr;
    return unknown ? name->hostname.string() : gateway.toString();
  }

  const TableReader& table_;
  const OutboundRequest& request_;
  base::Random& random_;
  const Ip target_;
};

// One of those of a family, each as likely. Nothing if there is none.
std::optional<Ip> drawOfFamily(absl::Span<const net::Address> addresses, bool v6,
                               base::Random& random) {
  std::optional<Ip> drawn;
  uint64_t seen = 0;
  for (const net::Address& address : addresses) {
    if (address.isIp() && Ip::of(address).isV4() != v6 && random.below(++seen) == 0) {
      drawn = Ip::of(address);
    }
  }
  return drawn;
}

} // namespace

RouteResult routeOutbound(const TableReader& table, const OutboundRequest& request,
                          base::Random& random) {
  return Router(table, request, random).route();
}

absl::Status resolveRoute(Route& route, absl::Span<const net::Address> addresses,
                          base::Random& random) {
  const bool v6 = route.unresolved.has_value() && route.unresolved->prefer_v6;
  std::optional<Ip> ip = drawOfFamily(addresses, v6, random);
  if (!ip.has_value()) {
    ip = drawOfFamily(addresses, !v6, random);
  }
  if (!ip.has_value()) {
    return absl::UnavailableError(absl::StrCat("ip addresses were resolved for workload ",
                                               route.workload->uid.view(),
                                               ", but valid dns response had no A/AAAA records"));
  }
  route.destination = ip->withPort(route.destination.port());
  if (route.authority_port != 0) {
    route.authority = route.destination.withPort(route.authority_port).toString();
    route.authority_port = 0;
  }
  route.unresolved.reset();
  return absl::OkStatus();
}

std::string unresolvedError(const Route& route) {
  return absl::StrCat("no ip addresses were resolved for workload: ", route.workload->uid.view());
}

} // namespace culvert::mesh
