// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/base/clock.h"
#include "source/hbone/http2_options.h"
#include "source/net/address.h"
#include "source/net/connection.h"
#include "source/net/metadata.h"
#include "source/net/socket.h"
#include "source/upstream/address_order.h"
#include "source/upstream/health_check.h"
#include "source/upstream/outlier.h"
#include "source/upstream/subset_config.h"

namespace culvert::stats {
class Scope;
}
namespace google::protobuf {
class Message;
}

namespace culvert::upstream {

class BalancingPolicy;
class HostSource;
class HostSourceContext;
class TransportSocketFactory;

// What the configuration (or EDS) says about an endpoint, in the order of the API's enum.
enum class EndpointHealth : uint8_t {
  kUnknown,
  kHealthy,
  kUnhealthy,
  kDraining,
  kTimeout,
  kDegraded,
};

struct Locality {
  std::string region;
  std::string zone;
  std::string sub_zone;

  friend auto operator<=>(const Locality&, const Locality&) = default;
};

struct EndpointConfig {
  net::Address address; // None while `dns_name` has to be resolved.
  std::string dns_name;
  uint16_t port = 0; // Of what `dns_name` resolves to.
  std::string hostname;
  std::string endpoint_id; // Of an internal address.
  std::string hash_key;    // What stands for it in hash balancing; empty: its address.
  EndpointHealth health = EndpointHealth::kUnknown;
  uint32_t weight = 1;
  bool canary = false;
  std::vector<net::Address> more_addresses;                  // Where else it can be reached.
  std::shared_ptr<const HealthCheckTarget> health_target;    // May be null.
  std::shared_ptr<const google::protobuf::Message> metadata; // May be null.
  std::shared_ptr<const net::Metadata> log_metadata;         // The same for logs. May be null.
};

struct LocalityConfig {
  Locality locality;
  uint32_t priority = 0;
  std::optional<uint32_t> weight;
  std::vector<EndpointConfig> endpoints;
};

// What EDS says about a cluster, instead of the fields of the same name in ClusterConfig.
struct Assignment {
  std::vector<LocalityConfig> endpoints;
  uint32_t overprovisioning_percent = 140;
  bool weighted_priority_health = false;
};

struct BreakerThresholds {
  uint32_t max_connections = 1024;
  uint32_t max_pending_requests = 1024;
  uint32_t max_requests = 1024;
  uint32_t max_retries = 3;
  uint64_t max_connection_pools = UINT64_MAX;
  bool track_remaining = false;
};

struct CircuitBreakerConfig {
  BreakerThresholds normal; // "default" in statistics.
  BreakerThresholds high;
  std::optional<uint32_t> per_host_max_connections;
};

// How long connections that were made ahead wait to be used.
inline constexpr base::Duration kSpareIdleTimeout = std::chrono::minutes(10);

// How many connections there should be for each one that is wanted (preconnect_policy).
struct PreconnectConfig {
  double per_host_ratio = 1;
  double cluster_ratio = 1; // Over the hosts that are to be chosen next.

  bool any() const { return per_host_ratio > 1 || cluster_ratio > 1; }
};

// How hosts are asked for tunnels. The numbers are Envoy's defaults.
struct HttpConfig {
  bool http2 = false; // Else HTTP/1.1, with a connection for each.
  hbone::Http2Options http2_options;
  // Of a connection that carries no stream; 0: it stays.
  base::Duration idle_timeout = std::chrono::hours(1);
  base::Duration max_connection_duration{0}; // 0: no end.
  uint32_t max_requests_per_connection = 0;  // 0: any number.
  bool pool_per_downstream = false;          // Clients share no connection.
};

// How a cluster finds its hosts; made on main once for each cluster.
using HostSourceMaker = std::function<std::unique_ptr<HostSource>(HostSourceContext&)>;

// What a cluster gives to its policy. Lifetime: `scope` and `clock` outlive the
// policy.
struct PolicyContext {
  uint64_t seed = 0;   // Makes each process start elsewhere.
  stats::Scope& scope; // cluster.<name>.
  const base::Clock& clock;
};

// How a cluster chooses among them.
using PolicyMaker = std::function<std::unique_ptr<BalancingPolicy>(const PolicyContext&)>;

// One cluster, checked and with all defaults applied. Kinds of clusters, policies and transport
// sockets have put what is theirs into the makers, so that a new kind changes nothing here.
struct ClusterConfig {
  std::string name;
  std::string alt_stat_name;                     // Empty: `name`.
  std::string kind;                              // "STATIC", "STRICT_DNS", for people.
  std::shared_ptr<const net::Metadata> metadata; // For logs. May be null.
  base::Duration connect_timeout = std::chrono::seconds(5);
  uint32_t per_connection_buffer_limit_bytes = net::Connection::kReadLimitBytes;
  net::ConnectOptions connect; // upstream_bind_config, keepalive.
  AddressOrder address_order;  // Of hosts with several addresses.
  CircuitBreakerConfig breakers;
  PreconnectConfig preconnect;
  base::Duration spare_idle_timeout = kSpareIdleTimeout; // 0: they stay.
  uint32_t panic_threshold_percent = 50;                 // Unless the runtime says otherwise.
  uint32_t overprovisioning_percent = 140;
  bool weighted_priority_health = false; // Hosts count by their weight when load is spread.
  bool locality_weighted = false;        // Within a priority, localities share by their weights.
  std::optional<HealthCheckConfig> health_check;
  bool close_on_host_health_failure = false;
  bool ignore_health_on_host_removal = false;   // Else a host that passes its checks stays.
  bool ignore_new_hosts_until_first_hc = false; // When load is spread.
  std::optional<OutlierConfig> outlier;
  std::shared_ptr<const SubsetConfig> subsets; // Null when there are none.
  HttpConfig http;
  bool wait_for_warm_on_init = true;
  std::vector<LocalityConfig> endpoints;
  HostSourceMaker make_hosts;                        // Null: `endpoints` as they are.
  PolicyMaker make_policy;                           // Null: round robin.
  std::shared_ptr<TransportSocketFactory> transport; // Null: raw_buffer.
  // What it was made from, for /config_dump and to see whether an update changes anything.
  std::shared_ptr<const google::protobuf::Message> source;
  std::string version; // Of the update that brought it; of the bootstrap's, none.

  const std::string& statName() const { return alt_stat_name.empty() ? name : alt_stat_name; }
};

} // namespace culvert::upstream
