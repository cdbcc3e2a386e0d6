// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/inbound.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "source/mesh/selection.h"

namespace culvert::mesh {
namespace {

constexpr int kBadRequest = 400;
constexpr int kUnavailable = 503;

// What is behind the last colon, if it is a port.
std::optional<uint16_t> portOf(absl::string_view text, size_t colon) {
  const absl::string_view digits = text.substr(colon + 1);
  uint32_t port = 0;
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(digits, &port) || port > UINT16_MAX) {
    return std::nullopt;
  }
  return static_cast<uint16_t>(port);
}

// The steps of mesh-data-plane 3.5 and 4.3.
class HboneAcceptance {
public:
  HboneAcceptance(const TableReader& table, const HboneRequest& request)
      : table_(table), request_(request), pod_(Ip::of(request.tunnel_destination)) {}

  InboundResult decide() {
    if (request_.method != "CONNECT") {
      return refused(kBadRequest, absl::StrCat("expected method CONNECT, got ", request_.method));
    }
    const auto authority = Authority::parse(request_.authority);
    if (!authority.has_value()) {
      return refused(kBadRequest,
                     absl::StrCat("no valid authority pseudo header: ", request_.authority));
    }
    return authority->ip.has_value() ? toAddress(*authority) : toHostname(*authority);
  }

private:
  static Refusal refused(int status, std::string error) { return {status, std::move(error)}; }

  InboundResult toAddress(const Authority& authority) const {
    if (!mayAskFor(*authority.ip)) {
      return refused(kBadRequest, absl::StrCat("ip mismatch: ", pod_.toString(),
                                               " != ", authority.ip->toString()));
    }
    InboundUpstream upstream;
    upstream.proxy_destination = authority.ip->withPort(authority.port);
    return finished(std::move(upstream), authority.port);
  }

  InboundResult toHostname(const Authority& authority) const {
    const Service* service = table_.serviceByHostname(request_.local.ns, authority.host);
    if (service == nullptr) {
      return refused(kUnavailable,
                     absl::StrCat("no service or workload for hostname: ", authority.host));
    }
    const uint16_t port = targetPort(*service, authority.port);
    if (port == 0) {
      return refused(kUnavailable, absl::StrCat("requested service ", authority.host, ":",
                                                authority.port, " found, but cannot resolve port"));
    }
    InboundUpstream upstream;
    upstream.service = ServiceRef(service);
    if (const auto vip = vipOf(*service); vip.has_value()) {
      upstream.proxy_destination = vip->withPort(authority.port);
    }
    return finished(std::move(upstream), port);
  }

  InboundResult finished(InboundUpstream upstream, uint16_t port) const {
    if (request_.illegal_ports.contains(port)) {
      return refused(kUnavailable, std::string(kIllegalCallError));
    }
    const AppTunnel& tunnel = request_.local.extra().app_tunnel;
    const bool proxy = tunnel.protocol == AppTunnel::Protocol::kProxy;
    if (proxy && !upstream.proxy_destination.has_value()) {
      return refused(kUnavailable,
                     absl::StrCat("requested service ", upstream.service->hostname.view(),
                                  " found, but has no IP addresses"));
    }
    if (!proxy) {
      upstream.proxy_destination.reset();
    }
    upstream.destination = pod_.withPort(tunnel.port != 0 ? tunnel.port : port);
    upstream.connect_to = upstream.destination;
    if (proxy && request_.localhost_app_tunnel) {
      upstream.connect_to =
          Ip::parse(pod_.isV4() ? "127.0.0.1" : "::1")->withPort(upstream.destination.port());
      upstream.spoof_source = false;
    }
    if (!upstream.service) {
      upstream.service = guessService(table_, request_.local, upstream.destination.port(),
                                      request_.forwarded_host);
    }
    return upstream;
  }

  // A pod answers for itself, and a waypoint for those that it stands in front of (4.2).
  bool mayAskFor(const Ip& ip) const {
    if (ip == pod_ || request_.local.extra().app_tunnel.present()) {
      return true;
    }
    const Addressed target = table_.addressed({request_.network, ip}, std::nullopt);
    if (const auto* workload = std::get_if<const Workload*>(&target); workload != nullptr) {
      const GatewayAddress* waypoint = waypointOf(**workload);
      return waypoint != nullptr && isLocal(*waypoint);
    }
    const auto* service = std::get_if<const Service*>(&target);
    return service != nullptr && hasWaypointHere(**service);
  }

  bool hasWaypointHere(const Service& service) const {
    const auto& weighted = service.weighted_waypoints;
    return (service.waypoint.has_value() && isLocal(*service.waypoint)) ||
           std::any_of(weighted.begin(), weighted.end(), [&](const WeightedWaypoint& waypoint) {
             return waypoint.weight != 0 && isLocal(waypoint.destination);
           });
  }

  bool isLocal(const GatewayAddress& waypoint) const {
    return standsBehind(table_, waypoint, [&](const Workload& workload) {
      return workload.uid == request_.local.uid || workload.hasIp(pod_);
    });
  }

  // Of this workload's endpoint, else the service's own. 0: none.
  uint16_t targetPort(const Service& service, uint16_t service_port) const {
    for (const Endpoint& endpoint : table_.endpoints(service)) {
      if (endpoint.uid == request_.local.uid) {
        if (const auto port = endpoint.ports.find(service_port); port.has_value()) {
          return *port;
        }
      }
    }
    return service.ports.find(service_port).value_or(0);
  }

  // Of this network IPv4, then IPv6, then any.
  std::optional<Ip> vipOf(const Service& service) const {
    const auto worth = [&](const NetworkAddress& vip) {
      return vip.network == request_.network ? (vip.ip.isV4() ? 2 : 1) : 0;
    };
    const auto best = std::max_element(
        service.vips.begin(), service.vips.end(),
        [&](const NetworkAddress& a, const NetworkAddress& b) { return worth(a) < worth(b); });
    return best == service.vips.end() ? std::nullopt : std::optional(best->ip);
  }

  const TableReader& table_;
  const HboneRequest& request_;
  const Ip pod_;
};

} // namespace

bool IllegalPorts::contains(uint16_t port) const {
  return port == 15008 || port == 15006 || port == 15001 || (socks5_ && port == 15080);
}

bool isIllegalOutbound(const IllegalPorts& ports, const net::Address& target) {
  return target.isLoopback() && ports.contains(target.port());
}

std::optional<Authority> Authority::parse(absl::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) {
    return std::nullopt;
  }
  const auto port = portOf(text, colon);
  absl::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (!port.has_value() || (!bracketed && absl::StrContains(host, ':'))) {
    return std::nullopt;
  }
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  }
  Authority authority{std::string(host), std::nullopt, *port};
  if (const auto ip = Ip::parse(host); ip.ok()) {
    authority.ip = *ip;
  }
  return authority;
}

bool isMalformedAuthority(absl::string_view text) {
  const size_t end = text.rfind(']');
  const bool bracketed = !text.empty() && text.front() == '[' && end != absl::string_view::npos;
  const absl::string_view inside = bracketed ? text.substr(1, end - 1) : absl::string_view();
  const absl::string_view outside = bracketed ? text.substr(end + 1) : text;
  const auto odd = [](char c) {
    return !absl::ascii_isgraph(static_cast<unsigned char>(c)) || absl::StrContains("/?#@[]\\", c);
  };
  return text.empty() || std::count(outside.begin(), outside.end(), ':') > 1 ||
         std::any_of(outside.begin(), outside.end(), odd) ||
         std::any_of(inside.begin(), inside.end(), odd);
}

InboundResult acceptHbone(const TableReader& table, const HboneRequest& request) {
  return HboneAcceptance(table, request).decide();
}

InboundResult acceptPlaintext(const TableReader& table, const Workload& local,
                              const net::Address& destination, const IllegalPorts& illegal_ports) {
  if (illegal_ports.contains(destination.port())) {
    return Refusal{kUnavailable, std::string(kIllegalCallError)};
  }
  InboundUpstream upstream;
  upstream.destination = destination;
  upstream.connect_to = destination;
  upstream.service = guessService(table, local, destination.port(), "");
  return upstream;
}

ServiceRef guessService(const TableReader& table, const Workload& local, uint16_t port,
                        absl::string_view forwarded_host) {
  const Service* by_port = nullptr;
  for (const Membership& membership : local.services) {
    const Service* service = table.serviceByKey(membership.service);
    if (service == nullptr) {
      continue;
    }
    if (!forwarded_host.empty() && service->hostname.view() == forwarded_host) {
      return ServiceRef(service);
    }
    const auto serves = [&](const auto& pair) {
      return pair.second == port || membership.ports.find(pair.first) == port;
    };
    const auto pairs = service->ports.pairs();
    if (by_port == nullptr && std::any_of(pairs.begin(), pairs.end(), serves)) {
      by_port = service;
    }
  }
  return ServiceRef(by_port);
}

WorkloadRef sourceWorkload(const TableReader& table, const Text& network, const Ip& source,
                           std::optional<absl::string_view> forwarded_network) {
  if (forwarded_network.has_value() &&
      !absl::EqualsIgnoreCase(*forwarded_network, network.view())) {
    return nullptr;
  }
  return WorkloadRef(table.workloadAt({network, source}));
}

} // namespace culvert::mesh
