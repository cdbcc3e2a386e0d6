// SPDX-License-Identifier: Apache-2.0
#include "source/config/internal/mesh_records.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace culvert::config {
namespace {

using mesh::Attribute;
using mesh::Text;

constexpr uint16_t kHboneMtlsPort = 15008;

mesh::Ip ipOf(const NodeValue& value, absl::string_view spelled) {
  const auto ip = mesh::Ip::parse(spelled);
  if (!ip.ok()) {
    value.error(ip.status().message());
    return {};
  }
  return *ip;
}

mesh::IpBlock blockOf(const NodeValue& value) {
  const auto block = mesh::IpBlock::parse(value.text());
  if (!block.ok()) {
    value.error(block.status().message());
    return {};
  }
  return *block;
}

mesh::Health healthOf(const NodeValue& value) {
  return value.oneOf<mesh::Health>(
      {{"Healthy", mesh::Health::kHealthy}, {"Unhealthy", mesh::Health::kUnhealthy}});
}

mesh::AppTunnel tunnelOf(const NodeValue& value) {
  using Protocol = mesh::AppTunnel::Protocol;
  NodeFields fields(value);
  mesh::AppTunnel tunnel{Protocol::kNone, 0};
  if (const auto protocol = fields.require("protocol"); protocol.has_value()) {
    tunnel.protocol =
        protocol->oneOf<Protocol>({{"NONE", Protocol::kNone}, {"PROXY", Protocol::kProxy}});
  }
  if (const auto port = fields.find("port"); port.has_value()) {
    tunnel.port = port->number<uint16_t>();
  }
  fields.finish();
  return tunnel;
}

} // namespace

Text MeshRecords::requiredText(NodeFields& fields, absl::string_view name) {
  const auto value = fields.require(name);
  return value.has_value() ? intern(value->text()) : Text();
}

Text MeshRecords::namespaceText(NodeFields& fields) {
  const auto value = fields.require("namespace");
  const std::string ns = value.has_value() ? value->text() : "";
  if (ns.find('/') != std::string::npos) {
    value->error("must not contain /");
  }
  return intern(ns);
}

std::vector<Text> MeshRecords::textList(NodeFields& fields, absl::string_view name) {
  std::vector<Text> texts;
  if (const auto list = fields.find(name); list.has_value()) {
    list->forEachEntry([&](const NodeValue& entry) { texts.push_back(intern(entry.text())); });
  }
  return texts;
}

mesh::PortMap MeshRecords::ports(const NodeValue& value) {
  mesh::PortMap::Pairs pairs;
  value.forEachKey([&](const std::string& key, const NodeValue& target) {
    pairs.emplace_back(target.numberOf<uint16_t>(key), target.number<uint16_t>());
  });
  return mesh::PortMap::create(std::move(pairs), texts_);
}

// "network/1.2.3.4"
mesh::NetworkAddress MeshRecords::vip(const NodeValue& value) {
  const std::string spelled = value.text();
  const size_t slash = spelled.find('/');
  if (slash == std::string::npos) {
    value.error("must be network/address; without a network begin with /");
    return {};
  }
  return {intern(spelled.substr(0, slash)), ipOf(value, spelled.substr(slash + 1))};
}

mesh::CidrVip MeshRecords::cidrVip(const NodeValue& value) {
  NodeFields fields(value);
  mesh::CidrVip vip{text(fields, "network"), {}};
  if (const auto block = fields.require("cidr"); block.has_value()) {
    vip.block = blockOf(*block);
  }
  fields.finish();
  return vip;
}

// "network/1.2.3.4" if it can be read so, else "namespace/hostname".
mesh::GatewayAddress MeshRecords::gateway(const NodeValue& value) {
  NodeFields fields(value);
  mesh::GatewayAddress gateway;
  gateway.hbone_mtls_port = kHboneMtlsPort;
  if (const auto destination = fields.require("destination"); destination.has_value()) {
    const std::string spelled = destination->text();
    const size_t slash = spelled.find('/');
    if (slash == std::string::npos || slash + 1 == spelled.size()) {
      destination->error("must be network/address or namespace/hostname");
    } else {
      const Text first = intern(spelled.substr(0, slash));
      const std::string second = spelled.substr(slash + 1);
      if (const auto ip = mesh::Ip::parse(second); ip.ok()) {
        gateway.destination = mesh::NetworkAddress{first, *ip};
      } else {
        gateway.destination = mesh::NamespacedHostname{first, intern(second)};
      }
    }
  }
  if (const auto port = fields.find("hboneMtlsPort"); port.has_value()) {
    gateway.hbone_mtls_port = port->number<uint16_t>();
  }
  fields.finish();
  return gateway;
}

// Workloads.

mesh::WorkloadRef MeshRecords::workload(const NodeValue& value) {
  NodeFields fields(value);
  const mesh::Ref<mesh::Workload> workload(new mesh::Workload);
  if (const auto ips = fields.require("workloadIps"); ips.has_value()) {
    ips->forEachEntry(
        [&](const NodeValue& entry) { workload->ips.push_back(ipOf(entry, entry.text())); });
  }
  if (const auto services = fields.require("services"); services.has_value()) {
    readMemberships(*services, *workload);
  }
  readNames(fields, *workload);
  readExtras(fields, *workload);
  fields.finish();
  if (workload->uid.empty()) { // Each is to have one.
    const std::string own = workload->name.empty() && !workload->ips.empty()
                                ? workload->ips.front().toString()
                                : workload->name.string();
    workload->uid = Text::copy(absl::StrCat(workload->ns.view(), "/", own));
  }
  return workload;
}

void MeshRecords::readNames(NodeFields& fields, mesh::Workload& workload) {
  workload.uid = Text::copy(fields.text("uid")); // Nobody else has the same.
  workload.name = text(fields, "name");
  workload.ns = namespaceText(fields);
  workload.service_account = text(fields, "serviceAccount");
  workload.trust_domain = text(fields, "trustDomain");
  workload.network = text(fields, "network");
  workload.node = text(fields, "node");
  workload.cluster_id = text(fields, "clusterId");
  workload.workload_name = text(fields, "workloadName");
  workload.workload_type = text(fields, "workloadType");
  workload.canonical_name = text(fields, "canonicalName");
  workload.canonical_revision = text(fields, "canonicalRevision");
  if (const auto locality = fields.find("locality"); locality.has_value()) {
    NodeFields places(*locality);
    workload.locality = {requiredText(places, "region"), requiredText(places, "zone"),
                         requiredText(places, "subzone")};
    places.finish();
  }
}

void MeshRecords::readExtras(NodeFields& fields, mesh::Workload& workload) {
  auto extras = std::make_unique<mesh::WorkloadExtras>();
  if (const auto protocol = fields.find("protocol"); protocol.has_value()) {
    workload.protocol = protocol->oneOf<mesh::TunnelProtocol>(
        {{"TCP", mesh::TunnelProtocol::kTcp}, {"HBONE", mesh::TunnelProtocol::kHbone}});
  }
  if (const auto mode = fields.find("networkMode"); mode.has_value()) {
    workload.network_mode =
        mode->oneOf<mesh::NetworkMode>({{"Standard", mesh::NetworkMode::kStandard},
                                        {"HostNetwork", mesh::NetworkMode::kHostNetwork}});
  }
  if (const auto status = fields.find("status"); status.has_value()) {
    workload.health = healthOf(*status);
  }
  if (const auto native = fields.find("nativeTunnel"); native.has_value()) {
    workload.native_tunnel = native->boolean();
  }
  if (const auto capacity = fields.find("capacity"); capacity.has_value()) {
    workload.capacity = capacity->number<uint32_t>();
  }
  if (const auto waypoint = fields.find("waypoint"); waypoint.has_value()) {
    extras->waypoint = gateway(*waypoint);
  }
  if (const auto address = fields.find("networkGateway"); address.has_value()) {
    extras->network_gateway = gateway(*address);
  }
  if (const auto tunnel = fields.find("applicationTunnel"); tunnel.has_value()) {
    extras->app_tunnel = tunnelOf(*tunnel);
  }
  extras->hostname = text(fields, "hostname");
  extras->authorization_policies = textList(fields, "authorizationPolicies");
  if (!(*extras == mesh::WorkloadExtras())) {
    workload.extras = std::move(extras);
  }
}

void MeshRecords::readMemberships(const NodeValue& value, mesh::Workload& workload) {
  value.forEachKey([&](const std::string& key, const NodeValue& mapped) {
    if (key.find('/') == std::string::npos) {
      mapped.error("must be under namespace/hostname");
    }
    workload.services.push_back({intern(key), ports(mapped)});
  });
  workload.services.shrink_to_fit();
}

// Services.

mesh::ServiceRef MeshRecords::service(const NodeValue& value) {
  NodeFields fields(value);
  const mesh::Ref<mesh::Service> service(new mesh::Service);
  service->name = requiredText(fields, "name");
  service->ns = namespaceText(fields);
  service->hostname = requiredText(fields, "hostname");
  if (service->hostname.empty()) {
    value.error("needs a hostname");
  }
  service->key = intern(mesh::serviceKey(service->ns, service->hostname));
  if (const auto vips = fields.require("vips"); vips.has_value()) {
    vips->forEachEntry([&](const NodeValue& entry) { service->vips.push_back(vip(entry)); });
  }
  if (const auto vips = fields.find("cidrVips"); vips.has_value()) {
    vips->forEachEntry(
        [&](const NodeValue& entry) { service->cidr_vips.push_back(cidrVip(entry)); });
  }
  if (const auto mapped = fields.require("ports"); mapped.has_value()) {
    service->ports = ports(*mapped);
  }
  if (const auto endpoints = fields.find("endpoints"); endpoints.has_value()) {
    readEndpoints(*endpoints, *service);
  }
  service->subject_alt_names = textList(fields, "subjectAltNames");
  readWaypoints(fields, *service);
  if (const auto balancing = fields.find("loadBalancer"); balancing.has_value()) {
    service->load_balancing = loadBalancing(*balancing);
  }
  if (const auto families = fields.find("ipFamilies"); families.has_value()) {
    service->ip_families =
        families->oneOf<mesh::IpFamilies>({{"Dual", mesh::IpFamilies::kDual},
                                           {"IPv4", mesh::IpFamilies::kIpv4Only},
                                           {"IPv6", mesh::IpFamilies::kIpv6Only}});
  }
  if (const auto canonical = fields.find("canonical"); canonical.has_value()) {
    service->canonical = canonical->boolean();
  }
  if (const auto visibility = fields.find("visibility"); visibility.has_value()) {
    service->visibility = visibility->oneOf<mesh::Visibility>(
        {{"Public", mesh::Visibility::kPublic}, {"Namespace", mesh::Visibility::kNamespace}});
  }
  fields.finish();
  return service;
}

void MeshRecords::readWaypoints(NodeFields& fields, mesh::Service& service) {
  if (const auto waypoint = fields.find("waypoint"); waypoint.has_value()) {
    service.waypoint = gateway(*waypoint);
  }
  const auto weighted = fields.find("weightedWaypoints");
  if (!weighted.has_value()) {
    return;
  }
  weighted->forEachEntry([&](const NodeValue& entry) {
    NodeFields each(entry);
    mesh::WeightedWaypoint waypoint;
    if (const auto destination = each.require("destination"); destination.has_value()) {
      waypoint.destination = gateway(*destination);
    }
    if (const auto weight = each.require("weight"); weight.has_value()) {
      waypoint.weight = weight->number<uint32_t>();
    }
    each.finish();
    service.weighted_waypoints.push_back(std::move(waypoint));
  });
}

void MeshRecords::readEndpoints(const NodeValue& value, mesh::Service& service) {
  value.forEachKey([&](const std::string& key, const NodeValue& entry) {
    NodeFields fields(entry);
    mesh::Endpoint endpoint{requiredText(fields, "workloadUid"), {}, mesh::Health::kHealthy};
    if (endpoint.uid.view() != key) {
      entry.error("workloadUid must be the name under which the endpoint stands");
    }
    if (const auto mapped = fields.find("port"); mapped.has_value()) {
      endpoint.ports = ports(*mapped);
    }
    if (const auto status = fields.find("status"); status.has_value()) {
      endpoint.health = healthOf(*status);
    }
    fields.finish();
    service.endpoints.push_back(std::move(endpoint));
  });
}

mesh::LoadBalancing MeshRecords::loadBalancing(const NodeValue& value) {
  using Mode = mesh::LoadBalancing::Mode;
  using Scope = mesh::LoadBalancing::Scope;
  NodeFields fields(value);
  mesh::LoadBalancing balancing;
  if (const auto preferences = fields.find("routingPreferences"); preferences.has_value()) {
    preferences->forEachEntry([&](const NodeValue& entry) {
      balancing.preferences.push_back(entry.oneOf<Scope>({{"Region", Scope::kRegion},
                                                          {"Zone", Scope::kZone},
                                                          {"Subzone", Scope::kSubzone},
                                                          {"Node", Scope::kNode},
                                                          {"Cluster", Scope::kCluster},
                                                          {"Network", Scope::kNetwork}}));
    });
  }
  if (const auto mode = fields.find("mode"); mode.has_value()) {
    balancing.mode = mode->oneOf<Mode>({{"Standard", Mode::kStandard},
                                        {"Strict", Mode::kStrict},
                                        {"Failover", Mode::kFailover},
                                        {"Passthrough", Mode::kPassthrough}});
  }
  if (const auto policy = fields.find("healthPolicy"); policy.has_value()) {
    balancing.health_policy =
        policy->oneOf<mesh::HealthPolicy>({{"OnlyHealthy", mesh::HealthPolicy::kOnlyHealthy},
                                           {"AllowAll", mesh::HealthPolicy::kAllowAll}});
  }
  fields.finish();
  return balancing;
}

// Policies.

mesh::PolicyRef MeshRecords::policy(const NodeValue& value) {
  using Scope = mesh::Policy::Scope;
  using Action = mesh::Policy::Action;
  NodeFields fields(value);
  const mesh::Ref<mesh::Policy> policy(new mesh::Policy);
  policy->name = requiredText(fields, "name");
  policy->ns = requiredText(fields, "namespace");
  policy->key = intern(policy->toString());
  if (const auto scope = fields.require("scope"); scope.has_value()) {
    policy->scope = scope->oneOf<Scope>({{"Global", Scope::kGlobal},
                                         {"Namespace", Scope::kNamespace},
                                         {"WorkloadSelector", Scope::kWorkloadSelector}});
  }
  if (const auto action = fields.require("action"); action.has_value()) {
    policy->action = action->oneOf<Action>({{"Allow", Action::kAllow}, {"Deny", Action::kDeny}});
  }
  if (const auto rules = fields.require("rules"); rules.has_value()) {
    rules->forEachEntry([&](const NodeValue& entry) { policy->rules.push_back(rule(entry)); });
  }
  if (const auto dry_run = fields.require("dryRun"); dry_run.has_value()) {
    policy->dry_run = dry_run->boolean();
  }
  fields.finish();
  return policy;
}

mesh::PolicyRule MeshRecords::rule(const NodeValue& value) {
  mesh::PolicyRule rule;
  value.forEachEntry([&](const NodeValue& clause) {
    mesh::PolicyClause& matches = rule.emplace_back();
    clause.forEachEntry([&](const NodeValue& entry) { matches.push_back(match(entry)); });
  });
  return rule;
}

template <class Read>
void MeshRecords::readTests(NodeFields& fields, absl::string_view list, Attribute attribute,
                            Read read, mesh::PolicyMatch& match) {
  std::string negative = absl::StrCat("not", list);
  negative[3] = absl::ascii_toupper(negative[3]);
  for (const bool negated : {false, true}) {
    std::vector<decltype(read(std::declval<const NodeValue&>()))> values;
    if (const auto found = fields.find(negated ? negative : list); found.has_value()) {
      found->forEachEntry([&](const NodeValue& entry) { values.push_back(read(entry)); });
    }
    if (!values.empty()) { // An empty list says nothing.
      match.push_back({attribute, negated, std::move(values)});
    }
  }
}

mesh::PolicyMatch MeshRecords::match(const NodeValue& value) {
  NodeFields fields(value);
  mesh::PolicyMatch match;
  const auto text = [this](const NodeValue& entry) { return textMatch(entry); };
  const auto account = [this](const NodeValue& entry) { return serviceAccount(entry); };
  const auto port = [](const NodeValue& entry) { return entry.number<uint16_t>(); };
  readTests(fields, "namespaces", Attribute::kNamespace, text, match);
  readTests(fields, "principals", Attribute::kPrincipal, text, match);
  readTests(fields, "serviceAccounts", Attribute::kServiceAccount, account, match);
  readTests(fields, "sourceIps", Attribute::kSourceIp, blockOf, match);
  readTests(fields, "destinationIps", Attribute::kDestinationIp, blockOf, match);
  readTests(fields, "destinationPorts", Attribute::kDestinationPort, port, match);
  fields.finish();
  return match;
}

// `!Exact x` in YAML; {"Exact": "x"} in JSON, which has no tags.
mesh::TextMatch MeshRecords::textMatch(const NodeValue& value) {
  using Kind = mesh::TextMatch::Kind;
  constexpr std::pair<absl::string_view, Kind> kKinds[] = {{"Exact", Kind::kExact},
                                                           {"Prefix", Kind::kPrefix},
                                                           {"Suffix", Kind::kSuffix},
                                                           {"Presence", Kind::kPresence}};
  const Node& node = value.node();
  const bool map = node.kind == Node::Kind::kMap && node.entries.size() == 1;
  const std::string name =
      map ? node.entries.front().key : node.tag.substr(node.tag.empty() ? 0 : 1);
  const NodeValue inside(map ? *node.entries.front().value : node, value.path(), value.problems());
  for (const auto& [kind_name, kind] : kKinds) {
    if (kind_name == name) {
      return {kind, kind == Kind::kPresence ? Text() : intern(inside.text())};
    }
  }
  value.error("must be one of !Exact, !Prefix, !Suffix with a text, or !Presence []");
  return {};
}

mesh::ServiceAccountMatch MeshRecords::serviceAccount(const NodeValue& value) {
  NodeFields fields(value);
  mesh::ServiceAccountMatch match{requiredText(fields, "namespace"),
                                  requiredText(fields, "serviceAccount")};
  fields.finish();
  return match;
}

} // namespace culvert::config
