// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "source/mesh/outbound.h"
#include "source/mesh/table.h"
#include "source/mesh/table_reader.h"

namespace culvert::mesh {

// A mesh in a few words. Everything is in the namespace "ns", in no network, on "node", unless the
// edit says otherwise; uids are names.
// Threads: the test's.
class TableFixture : public testing::Test {
protected:
  template <class T> using Edit = std::function<void(T&)>;

  Text text(absl::string_view text) { return table_.texts().intern(text); }
  PortMap ports(PortMap::Pairs pairs) { return PortMap::create(std::move(pairs), table_.texts()); }
  static Ip ip(absl::string_view text) { return *Ip::parse(text); }
  static net::Address at(absl::string_view text) { return *net::Address::parseIpPort(text); }

  // "10.0.0.1" or "network/10.0.0.1".
  NetworkAddress address(absl::string_view spelled) {
    const size_t slash = spelled.find('/');
    return slash == absl::string_view::npos
               ? NetworkAddress{Text(), ip(spelled)}
               : NetworkAddress{text(spelled.substr(0, slash)), ip(spelled.substr(slash + 1))};
  }
  // "network/10.0.0.1:15008" or "ns/hostname:15008".
  GatewayAddress gateway(absl::string_view spelled) {
    const size_t colon = spelled.rfind(':');
    const absl::string_view place = spelled.substr(0, colon);
    const size_t slash = place.find('/');
    GatewayAddress gateway;
    gateway.hbone_mtls_port =
        static_cast<uint16_t>(std::stoi(std::string(spelled.substr(colon + 1))));
    if (Ip::parse(place.substr(slash + 1)).ok()) {
      gateway.destination = address(place);
    } else {
      gateway.destination =
          NamespacedHostname{text(place.substr(0, slash)), text(place.substr(slash + 1))};
    }
    return gateway;
  }

  WorkloadRef makeWorkload(absl::string_view name, std::vector<std::string> ips,
                           const Edit<Workload>& edit = {}) {
    const Ref<Workload> workload(new Workload);
    workload->uid = workload->name = workload->service_account = text(name);
    workload->ns = text("ns");
    workload->trust_domain = text("td");
    workload->node = text("node");
    workload->workload_type = text("pod");
    for (const std::string& each : ips) {
      workload->ips.push_back(ip(each));
    }
    if (edit) {
      edit(*workload);
    }
    return workload;
  }
  WorkloadRef workload(absl::string_view name, std::vector<std::string> ips,
                       const Edit<Workload>& edit = {}) {
    WorkloadRef made = makeWorkload(name, std::move(ips), edit);
    apply({made});
    return made;
  }

  static void hbone(Workload& workload) { workload.protocol = TunnelProtocol::kHbone; }
  // For an edit: an endpoint of "ns/NAME.ns", with ports of its own if wanted.
  void behind(Workload& workload, absl::string_view service, PortMap::Pairs pairs = {}) {
    workload.services.push_back({text(absl::StrCat("ns/", service)), ports(std::move(pairs))});
  }
  static void extras(Workload& workload, const Edit<WorkloadExtras>& edit) {
    auto extras = std::make_unique<WorkloadExtras>(workload.extra());
    edit(*extras);
    workload.extras = std::move(extras);
  }

  // `hostname` is its name, too.
  ServiceRef makeService(absl::string_view hostname, std::vector<std::string> vips,
                         PortMap::Pairs pairs, const Edit<Service>& edit = {}) {
    const Ref<Service> service(new Service);
    service->name = service->hostname = text(hostname);
    service->ns = text("ns");
    for (const std::string& vip : vips) {
      service->vips.push_back(address(vip));
    }
    service->ports = ports(std::move(pairs));
    if (edit) {
      edit(*service);
    }
    service->key = text(serviceKey(service->ns, service->hostname));
    return service;
  }
  ServiceRef service(absl::string_view hostname, std::vector<std::string> vips,
                     PortMap::Pairs pairs = {{80, 8080}}, const Edit<Service>& edit = {}) {
    ServiceRef made = makeService(hostname, std::move(vips), std::move(pairs), edit);
    apply({made});
    return made;
  }

  std::vector<Rejection> apply(std::vector<Change> changes) { return table_.apply(changes); }
  void remove(ResourceKind kind, absl::string_view key) {
    apply({Removal{kind, std::string(key)}});
  }

  // What becomes of a connection from the workload "client" to `target`, in words.
  std::string route(absl::string_view target) { return words(routeOf(target)); }

  RouteResult routeOf(absl::string_view target) {
    const TableReader reader(table_);
    const Workload* client = reader.workload("client");
    return routeOutbound(reader, {*client, peer_, at(target), text(network_)}, random_);
  }

  static std::string words(const RouteResult& result) {
    if (const auto* denied = std::get_if<RouteDenied>(&result); denied != nullptr) {
      return absl::StrCat("denied: ", denied->error);
    }
    constexpr absl::string_view kKinds[] = {"TCP", "HBONE", "DOUBLE_HBONE"};
    const Route& route = std::get<Route>(result);
    return absl::StrCat(kKinds[static_cast<size_t>(route.kind)], " ",
                        route.unresolved.has_value()
                            ? absl::StrCat("lookup(", route.unresolved->hostname, ")")
                            : route.destination.toString(),
                        route.authority.empty() ? "" : " for ", route.authority);
  }

  // "td/ns/ns/sa/a td/ns/ns/sa/b"
  static std::string principals(const std::vector<Identity>& identities) {
    return absl::StrJoin(identities, " ", [](std::string* out, const Identity& identity) {
      out->append(identity.principal());
    });
  }

  WorkloadTable table_{"node"};
  base::Random random_{1};
  Ip peer_ = ip("10.0.0.1"); // The client's address.
  std::string network_;
};

} // namespace culvert::mesh
