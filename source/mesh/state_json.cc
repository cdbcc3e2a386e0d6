// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/state_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/mesh/table_reader.h"

namespace culvert::mesh {
namespace {

using nlohmann::json;

std::string text(const Text& text) { return text.string(); }

// Absent if it is empty.
void add(json& object, const char* key, const Text& value) {
  if (!value.empty()) {
    object[key] = text(value);
  }
}

json texts(const std::vector<Text>& values) {
  json list = json::array();
  for (const Text& value : values) {
    list.push_back(text(value));
  }
  return list;
}

json ports(const PortMap& map) {
  json object = json::object();
  for (const auto& [port, target] : map.pairs()) {
    object[std::to_string(port)] = target;
  }
  return object;
}

const char* health(Health health) { return health == Health::kHealthy ? "Healthy" : "Unhealthy"; }

std::string vip(const NetworkAddress& address) {
  return absl::StrCat(address.network.view(), "/", address.ip.toString());
}

json gateway(const GatewayAddress& gateway) {
  const auto* address = std::get_if<NetworkAddress>(&gateway.destination);
  const auto* name = std::get_if<NamespacedHostname>(&gateway.destination);
  return {
      {"destination", address != nullptr ? vip(*address) : serviceKey(name->ns, name->hostname)},
      {"hboneMtlsPort", gateway.hbone_mtls_port}};
}

json endpoints(absl::Span<const Endpoint> endpoints) {
  json object = json::object();
  for (const Endpoint& endpoint : endpoints) {
    object[text(endpoint.uid)] = {{"workloadUid", text(endpoint.uid)},
                                  {"port", ports(endpoint.ports)},
                                  {"status", health(endpoint.health)}};
  }
  return object;
}

void addExtras(json& object, const WorkloadExtras& extras) {
  if (extras.waypoint.has_value()) {
    object["waypoint"] = gateway(*extras.waypoint);
  }
  if (extras.network_gateway.has_value()) {
    object["networkGateway"] = gateway(*extras.network_gateway);
  }
  if (!extras.authorization_policies.empty()) {
    object["authorizationPolicies"] = texts(extras.authorization_policies);
  }
  if (extras.app_tunnel.present()) {
    const bool proxy = extras.app_tunnel.protocol == AppTunnel::Protocol::kProxy;
    object["applicationTunnel"] = {{"protocol", proxy ? "PROXY" : "NONE"}};
    if (extras.app_tunnel.port != 0) {
      object["applicationTunnel"]["port"] = extras.app_tunnel.port;
    }
  }
  add(object, "hostname", extras.hostname);
}

void addNames(json& object, const Workload& workload) {
  add(object, "uid", workload.uid);
  add(object, "trustDomain", workload.trust_domain);
  add(object, "serviceAccount", workload.service_account);
  add(object, "network", workload.network);
  add(object, "node", workload.node);
  add(object, "workloadName", workload.workload_name);
  add(object, "workloadType", workload.workload_type);
  add(object, "canonicalName", workload.canonical_name);
  add(object, "canonicalRevision", workload.canonical_revision);
  if (!(workload.locality == Locality())) {
    object["locality"] = {{"region", text(workload.locality.region)},
                          {"zone", text(workload.locality.zone)},
                          {"subzone", text(workload.locality.subzone)}};
  }
}

json workloadJson(const Workload& workload) {
  const bool host = workload.network_mode == NetworkMode::kHostNetwork;
  json ips = json::array();
  for (const Ip& ip : workload.ips) {
    ips.push_back(ip.toString());
  }
  json object = {{"workloadIps", std::move(ips)},
                 {"protocol", workload.protocol == TunnelProtocol::kHbone ? "HBONE" : "TCP"},
                 {"networkMode", host ? "HostNetwork" : "Standard"},
                 {"name", text(workload.name)},
                 {"namespace", text(workload.ns)},
                 {"status", health(workload.health)},
                 {"clusterId", text(workload.cluster_id)},
                 {"capacity", workload.capacity}};
  addNames(object, workload);
  addExtras(object, workload.extra());
  if (workload.native_tunnel) {
    object["nativeTunnel"] = true;
  }
  for (const Membership& membership : workload.services) {
    object["services"].push_back(text(membership.service));
  }
  return object;
}

json balancingJson(const LoadBalancing& balancing) {
  constexpr const char* kScopes[] = {"Region", "Zone", "Subzone", "Node", "Cluster", "Network"};
  constexpr const char* kModes[] = {"Standard", "Strict", "Failover", "Passthrough"};
  const bool all = balancing.health_policy == HealthPolicy::kAllowAll;
  json preferences = json::array();
  for (const LoadBalancing::Scope scope : balancing.preferences) {
    preferences.push_back(kScopes[static_cast<size_t>(scope)]);
  }
  return {{"routingPreferences", std::move(preferences)},
          {"mode", kModes[static_cast<size_t>(balancing.mode)]},
          {"healthPolicy", all ? "AllowAll" : "OnlyHealthy"}};
}

void addWays(json& object, const Service& service) {
  for (const CidrVip& cidr : service.cidr_vips) {
    object["cidrVips"].push_back(
        {{"network", text(cidr.network)}, {"cidr", cidr.block.toString()}});
  }
  if (service.waypoint.has_value()) {
    object["waypoint"] = gateway(*service.waypoint);
  }
  for (const WeightedWaypoint& waypoint : service.weighted_waypoints) {
    object["weightedWaypoints"].push_back(
        {{"destination", gateway(waypoint.destination)}, {"weight", waypoint.weight}});
  }
  if (service.load_balancing.has_value()) {
    object["loadBalancer"] = balancingJson(*service.load_balancing);
  }
  if (service.ip_families != IpFamilies::kAutomatic) {
    object["ipFamilies"] = service.ip_families == IpFamilies::kDual       ? "Dual"
                           : service.ip_families == IpFamilies::kIpv4Only ? "IPv4"
                                                                          : "IPv6";
  }
}

json serviceJson(const Service& service, absl::Span<const Endpoint> behind) {
  json vips = json::array();
  for (const NetworkAddress& address : service.vips) {
    vips.push_back(vip(address));
  }
  const bool secret = service.visibility == Visibility::kNamespace;
  json object = {{"name", text(service.name)},
                 {"namespace", text(service.ns)},
                 {"hostname", text(service.hostname)},
                 {"vips", std::move(vips)},
                 {"ports", ports(service.ports)},
                 {"endpoints", endpoints(behind)},
                 {"subjectAltNames", texts(service.subject_alt_names)},
                 {"canonical", service.canonical},
                 {"visibility", secret ? "Namespace" : "Public"}};
  addWays(object, service);
  return object;
}

json valueJson(const TextMatch& match) {
  constexpr const char* kKinds[] = {"Exact", "Prefix", "Suffix", "Presence"};
  const char* kind = kKinds[static_cast<size_t>(match.kind)];
  return match.kind == TextMatch::Kind::kPresence ? json{{kind, json::array()}}
                                                  : json{{kind, text(match.text)}};
}
json valueJson(const ServiceAccountMatch& match) {
  return {{"namespace", text(match.ns)}, {"serviceAccount", text(match.service_account)}};
}
json valueJson(const IpBlock& block) { return block.toString(); }
json valueJson(uint16_t port) { return port; }

json matchJson(const PolicyMatch& match) {
  constexpr const char* kNames[][2] = {
      {"namespaces", "notNamespaces"},           {"principals", "notPrincipals"},
      {"serviceAccounts", "notServiceAccounts"}, {"sourceIps", "notSourceIps"},
      {"destinationIps", "notDestinationIps"},   {"destinationPorts", "notDestinationPorts"}};
  json object = json::object();
  for (const AttributeTest& test : match) {
    json list = json::array();
    std::visit(
        [&list](const auto& values) {
          for (const auto& value : values) {
            list.push_back(valueJson(value));
          }
        },
        test.values);
    object[kNames[static_cast<size_t>(test.attribute)][test.negated ? 1 : 0]] = std::move(list);
  }
  return object;
}

json policyJson(const Policy& policy) {
  constexpr const char* kScopes[] = {"Global", "Namespace", "WorkloadSelector"};
  json rules = json::array();
  for (const PolicyRule& rule : policy.rules) {
    json clauses = json::array();
    for (const PolicyClause& clause : rule) {
      json matches = json::array();
      for (const PolicyMatch& match : clause) {
        matches.push_back(matchJson(match));
      }
      clauses.push_back(std::move(matches));
    }
    rules.push_back(std::move(clauses));
  }
  return {{"name", text(policy.name)},
          {"namespace", text(policy.ns)},
          {"scope", kScopes[static_cast<size_t>(policy.scope)]},
          {"action", policy.action == Policy::Action::kDeny ? "Deny" : "Allow"},
          {"dryRun", policy.dry_run},
          {"rules", std::move(rules)}};
}

template <class T, class Key> void sortBy(std::vector<const T*>& records, Key key) {
  std::sort(records.begin(), records.end(),
            [&](const T* a, const T* b) { return key(*a) < key(*b); });
}

} // namespace

json stateJson(const WorkloadTable& table) {
  const TableReader reader(table);
  std::vector<const Workload*> workloads;
  std::vector<const Service*> services;
  std::vector<const Policy*> policies;
  reader.forEachWorkload([&](const Workload& workload) { workloads.push_back(&workload); });
  reader.forEachService([&](const Service& service) { services.push_back(&service); });
  reader.forEachPolicy([&](const Policy& policy) { policies.push_back(&policy); });
  sortBy(workloads, [](const Workload& w) { return w.uid.view(); });
  sortBy(services, [](const Service& s) { return std::pair(s.hostname.view(), s.ns.view()); });
  sortBy(policies, [](const Policy& p) { return p.key.view(); });

  json state = {{"workloads", json::array()},
                {"services", json::array()},
                {"policies", json::array()},
                {"stagedServices", json::object()}};
  for (const Workload* workload : workloads) {
    state["workloads"].push_back(workloadJson(*workload));
  }
  for (const Service* service : services) {
    state["services"].push_back(serviceJson(*service, reader.endpoints(*service)));
  }
  for (const Policy* policy : policies) {
    state["policies"].push_back(policyJson(*policy));
  }
  reader.forEachStaged([&](const Text& key, absl::Span<const Endpoint> staged) {
    state["stagedServices"][text(key)] = endpoints(staged);
  });
  return state;
}

} // namespace culvert::mesh
