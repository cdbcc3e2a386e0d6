// SPDX-License-Identifier: Apache-2.0
#include "source/filters/http_connection_manager/routes.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "envoy/config/route/v3/route.pb.h"
#include "source/base/field_error.h"
#include "source/base/proto.h"

namespace culvert::http_connection_manager {
namespace {

namespace pb = envoy::config::route::v3;

constexpr std::chrono::seconds kDefaultTimeout(15);

// Whether the route takes CONNECT requests apart, instead of sending them on.
absl::Status checkUpgrades(const pb::RouteAction& action) {
  for (int i = 0; i < action.upgrade_configs_size(); i++) {
    const auto& upgrade = action.upgrade_configs(i);
    if (!absl::EqualsIgnoreCase(upgrade.upgrade_type(), "CONNECT")) {
      return base::errorAt(absl::StrCat("route.upgrade_configs[", i, "].upgrade_type"),
                           "only CONNECT is supported");
    }
    if (upgrade.has_connect_config() && (!upgrade.has_enabled() || upgrade.enabled().value())) {
      return absl::OkStatus();
    }
  }
  return base::errorAt(
      "route.upgrade_configs",
      "a CONNECT with a connect_config is needed: requests are not sent on as such");
}

absl::Status readAction(const pb::RouteAction& action, Route& route) {
  if (absl::Status status = checkUpgrades(action); !status.ok()) {
    return status;
  }
  route.cluster = action.cluster();
  route.timeout =
      action.has_timeout() ? base::toDuration(action.timeout()) : base::Duration(kDefaultTimeout);
  if (action.has_idle_timeout()) {
    route.idle_timeout = base::toDuration(action.idle_timeout());
  }
  route.no_cluster_status =
      action.cluster_not_found_response_code() == pb::RouteAction::NOT_FOUND               ? 404
      : action.cluster_not_found_response_code() == pb::RouteAction::INTERNAL_SERVER_ERROR ? 500
                                                                                           : 503;
  return absl::OkStatus();
}

absl::StatusOr<Route> makeRoute(const pb::Route& proto) {
  Route route;
  route.name = proto.name();
  if (!proto.match().has_connect_matcher()) {
    return base::errorAt("match", "only connect_matcher is supported");
  }
  for (const auto& header : proto.match().headers()) {
    auto match = match::makeHeaderMatch(header);
    if (!match.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("match.headers[", route.headers.size(), "]", match.status().message()));
    }
    route.headers.push_back(*std::move(match));
  }
  if (proto.has_direct_response()) {
    route.direct_status = proto.direct_response().status();
    route.direct_body = proto.direct_response().body().inline_string();
    return route;
  }
  if (absl::Status status = readAction(proto.route(), route); !status.ok()) {
    return status;
  }
  return route;
}

bool longerFirst(const std::pair<std::string, const std::vector<Route>*>& a,
                 const std::pair<std::string, const std::vector<Route>*>& b) {
  return a.first.size() > b.first.size();
}

absl::string_view withoutPort(absl::string_view authority) {
  const size_t colon = authority.rfind(':');
  uint32_t port = 0;
  return colon != absl::string_view::npos && absl::SimpleAtoi(authority.substr(colon + 1), &port)
             ? authority.substr(0, colon)
             : authority;
}

} // namespace

absl::StatusOr<Routes> Routes::create(const pb::RouteConfiguration& proto) {
  Routes routes;
  routes.ignore_port_ = proto.ignore_port_in_host_matching();
  for (int i = 0; i < proto.virtual_hosts_size(); i++) {
    if (absl::Status status = routes.addHost(proto.virtual_hosts(i)); !status.ok()) {
      return base::errorWithin(absl::StrCat("virtual_hosts[", i, "]"), status);
    }
  }
  std::stable_sort(routes.suffixes_.begin(), routes.suffixes_.end(), longerFirst);
  std::stable_sort(routes.prefixes_.begin(), routes.prefixes_.end(), longerFirst);
  return routes;
}

absl::Status Routes::addHost(const pb::VirtualHost& proto) {
  RouteList list;
  for (const auto& route : proto.routes()) {
    auto made = makeRoute(route);
    if (!made.ok()) {
      return base::errorWithin(absl::StrCat("routes[", list.size(), "]"), made.status());
    }
    list.push_back(*std::move(made));
  }
  hosts_.push_back(std::make_unique<const RouteList>(std::move(list)));
  for (int i = 0; i < proto.domains_size(); i++) {
    if (absl::Status status = addDomain(proto.domains(i), *hosts_.back()); !status.ok()) {
      return base::errorAt(absl::StrCat("domains[", i, "]"), status.message());
    }
  }
  return absl::OkStatus();
}

absl::Status Routes::addDomain(const std::string& domain, const RouteList& routes) {
  const std::string name = absl::AsciiStrToLower(domain);
  const auto addTo = [&](Wildcards& list, absl::string_view part) {
    const bool there = std::any_of(list.begin(), list.end(),
                                   [&](const auto& entry) { return entry.first == part; });
    list.emplace_back(part, &routes);
    return !there;
  };
  bool is_new = true;
  if (name == "*") {
    is_new = any_ == nullptr;
    any_ = &routes;
  } else if (absl::StartsWith(name, "*")) {
    is_new = addTo(suffixes_, absl::string_view(name).substr(1));
  } else if (absl::EndsWith(name, "*")) {
    is_new = addTo(prefixes_, absl::string_view(name).substr(0, name.size() - 1));
  } else {
    is_new = exact_.emplace(name, &routes).second;
  }
  if (!is_new) {
    return absl::InvalidArgumentError(
        absl::StrCat("only unique values for domains are permitted: ", domain, " is there twice"));
  }
  return absl::OkStatus();
}

// A wildcard stands for one character at least.
const Routes::RouteList* Routes::findHost(absl::string_view authority) const {
  if (const auto it = exact_.find(authority); it != exact_.end()) {
    return it->second;
  }
  for (const auto& [suffix, routes] : suffixes_) {
    if (authority.size() > suffix.size() && absl::EndsWith(authority, suffix)) {
      return routes;
    }
  }
  for (const auto& [prefix, routes] : prefixes_) {
    if (authority.size() > prefix.size() && absl::StartsWith(authority, prefix)) {
      return routes;
    }
  }
  return any_;
}

const Route* Routes::find(absl::string_view authority,
                          const net::RequestInfo::Fields& headers) const {
  const std::string name = absl::AsciiStrToLower(ignore_port_ ? withoutPort(authority) : authority);
  const RouteList* const routes = findHost(name);
  if (routes == nullptr) {
    return nullptr;
  }
  for (const Route& route : *routes) {
    const bool matches = std::all_of(
        route.headers.begin(), route.headers.end(), [&](const match::HeaderMatch& header) {
          return header.matches(net::RequestInfo::find(headers, header.name));
        });
    if (matches) {
      return &route;
    }
  }
  return nullptr;
}

} // namespace culvert::http_connection_manager
