// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "source/mesh/service.h"
#include "source/mesh/workload.h"

namespace culvert::mesh {
namespace {

// Everything but the extras, which may be null.
auto fieldsOf(const Workload& w) {
  return std::tie(w.uid, w.name, w.ns, w.service_account, w.trust_domain, w.network, w.node,
                  w.cluster_id, w.workload_name, w.workload_type, w.canonical_name,
                  w.canonical_revision, w.locality, w.ips, w.services, w.capacity, w.protocol,
                  w.network_mode, w.health, w.native_tunnel);
}

auto fieldsOf(const Service& s) {
  return std::tie(s.name, s.ns, s.hostname, s.vips, s.cidr_vips, s.ports, s.subject_alt_names,
                  s.waypoint, s.weighted_waypoints, s.load_balancing, s.endpoints, s.ip_families,
                  s.visibility, s.canonical);
}

} // namespace

std::string GatewayAddress::toString() const {
  if (const auto* address = std::get_if<NetworkAddress>(&destination); address != nullptr) {
    return absl::StrCat(address->network.view(), "/",
                        address->ip.withPort(hbone_mtls_port).toString());
  }
  const auto& name = std::get<NamespacedHostname>(destination);
  return absl::StrCat(name.ns.view(), "/", name.hostname.view(), ":", hbone_mtls_port);
}

const WorkloadExtras& Workload::extra() const {
  static const WorkloadExtras* const none = new WorkloadExtras;
  return extras == nullptr ? *none : *extras;
}

bool Workload::hasIp(const Ip& ip) const {
  return std::find(ips.begin(), ips.end(), ip) != ips.end();
}

bool Workload::isPod() const { return absl::StrContains(uid.view(), "//Pod/"); }

bool operator==(const Workload& a, const Workload& b) {
  return fieldsOf(a) == fieldsOf(b) && a.extra() == b.extra();
}

LoadBalancing::Mode Service::mode() const {
  return load_balancing.has_value() ? load_balancing->mode : LoadBalancing::Mode::kStandard;
}

bool Service::allowsUnhealthy() const {
  return load_balancing.has_value() && load_balancing->health_policy == HealthPolicy::kAllowAll;
}

bool Service::visibleTo(absl::string_view client_ns) const {
  return visibility == Visibility::kPublic || ns.view() == client_ns;
}

std::vector<Identity> Service::identities() const {
  std::vector<Identity> identities;
  for (const Text& name : subject_alt_names) {
    if (auto identity = Identity::parse(name); identity.has_value()) {
      identities.push_back(*std::move(identity));
    }
  }
  return identities;
}

bool operator==(const Service& a, const Service& b) { return fieldsOf(a) == fieldsOf(b); }

std::string serviceKey(absl::string_view ns, absl::string_view hostname) {
  return absl::StrCat(ns, "/", hostname);
}

} // namespace culvert::mesh
