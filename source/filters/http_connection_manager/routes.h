// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "source/base/clock.h"
#include "source/match/header_match.h"
#include "source/net/request_info.h"

namespace envoy::config::route::v3 {
class Route;
class RouteAction;
class RouteConfiguration;
class VirtualHost;
} // namespace envoy::config::route::v3

namespace culvert::http_connection_manager {

// Where CONNECT requests of one kind go: to a cluster, or nowhere with an answer.
struct Route {
  std::string name;
  std::vector<match::HeaderMatch> headers; // All of them.
  std::string cluster;
  uint32_t direct_status = 0; // Where there is no cluster.
  std::string direct_body;
  uint32_t no_cluster_status = 503;
  base::Duration timeout{0};                  // From the request's end; 0 for ever.
  std::optional<base::Duration> idle_timeout; // Instead of the connection manager's.
};

// A table of routes: a virtual host by the authority, in it the first route that matches.
// Authorities are compared as they are, with their port, without case: exact names first, then the
// longest suffix, the longest prefix, and "*". Threads: made on main, then any.
class Routes {
public:
  // Errors: begin with the path of the field in the message.
  static absl::StatusOr<Routes> create(const envoy::config::route::v3::RouteConfiguration& proto);

  // Null: none.
  const Route* find(absl::string_view authority, const net::RequestInfo::Fields& headers) const;

private:
  using RouteList = std::vector<Route>;
  using Wildcards = std::vector<std::pair<std::string, const RouteList*>>;

  absl::Status addHost(const envoy::config::route::v3::VirtualHost& proto);
  absl::Status addDomain(const std::string& domain, const RouteList& routes);
  const RouteList* findHost(absl::string_view authority) const;

  std::vector<std::unique_ptr<const RouteList>> hosts_;
  absl::flat_hash_map<std::string, const RouteList*> exact_;
  Wildcards suffixes_; // Longest first,
  Wildcards prefixes_; // too.
  const RouteList* any_ = nullptr;
  bool ignore_port_ = false;
};

} // namespace culvert::http_connection_manager
