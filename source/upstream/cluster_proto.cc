// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/cluster_proto.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "source/access_log/metadata_proto.h"
#include "source/base/proto.h"
#include "source/stats/store.h"
#include "source/upstream/endpoint_proto.h"
#include "source/upstream/factories.h"
#include "source/upstream/health_proto.h"
#include "source/upstream/http_proto.h"
#include "source/upstream/outlier_proto.h"
#include "source/upstream/subset_proto.h"
#include "source/upstream/transport_proto.h"

namespace culvert::upstream {
namespace {

namespace core = envoy::config::core::v3;
using envoy::config::cluster::v3::CircuitBreakers;
using envoy::config::cluster::v3::Cluster;
using ConnectionOptions = envoy::config::cluster::v3::UpstreamConnectionOptions;
using google::protobuf::Message;
using registry::Category;

// A factory's message filled from `any`, or an error at `path`.
absl::StatusOr<std::unique_ptr<Message>>
unpack(const google::protobuf::Any& any, const registry::Factory& factory, absl::string_view path) {
  std::unique_ptr<Message> message = factory.newConfig();
  if (message != nullptr && !any.value().empty() && !message->ParseFromString(any.value())) {
    return errorAt(path, absl::StrCat("Unable to unpack as ", factory.type()));
  }
  return message;
}

net::SocketOption parseOption(const core::SocketOption& proto) {
  using When = net::SocketOption::When;
  const When when =
      proto.state() == core::SocketOption::STATE_PREBIND ? When::kBeforeBind : When::kAfterBind;
  const int level = static_cast<int>(proto.level());
  const int name = static_cast<int>(proto.name());
  if (proto.has_buf_value()) {
    return {level, name, proto.buf_value(), when};
  }
  return net::SocketOption::ofInt(level, name, static_cast<int>(proto.int_value()), when);
}

absl::Status parseBind(const core::BindConfig& proto, net::ConnectOptions& options) {
  if (proto.has_source_address()) {
    core::Address address;
    *address.mutable_socket_address() = proto.source_address();
    absl::StatusOr<net::Address> source = parseAddress(address);
    if (!source.ok()) {
      return base::errorWithin("upstream_bind_config.source_address",
                               absl::InvalidArgumentError(absl::StripPrefix(
                                   source.status().message(), "socket_address.")));
    }
    options.source = *std::move(source);
  }
  options.freebind = proto.freebind().value();
  for (const core::SocketOption& option : proto.socket_options()) {
    options.options.push_back(parseOption(option));
  }
  return absl::OkStatus();
}

void parseKeepalive(const core::TcpKeepalive& proto, net::ConnectOptions& options) {
  net::TcpKeepalive keepalive;
  if (proto.has_keepalive_probes()) {
    keepalive.probes = proto.keepalive_probes().value();
  }
  if (proto.has_keepalive_time()) {
    keepalive.time_s = proto.keepalive_time().value();
  }
  if (proto.has_keepalive_interval()) {
    keepalive.interval_s = proto.keepalive_interval().value();
  }
  net::addKeepalive(keepalive, options.options);
}

absl::Status parseConnect(const Cluster& proto, const ClusterProtoContext& context,
                          net::ConnectOptions& options) {
  if (proto.upstream_connection_options().has_tcp_keepalive()) {
    parseKeepalive(proto.upstream_connection_options().tcp_keepalive(), options);
  }
  const core::BindConfig* const bind =
      proto.has_upstream_bind_config() ? &proto.upstream_bind_config() : context.default_bind;
  return bind == nullptr ? absl::OkStatus() : parseBind(*bind, options);
}

AddressOrder parseOrder(const ConnectionOptions::HappyEyeballsConfig& proto) {
  AddressOrder order;
  switch (proto.first_address_family_version()) {
  case ConnectionOptions::V4:
    order.first = net::Address::Kind::kIpv4;
    break;
  case ConnectionOptions::V6:
    order.first = net::Address::Kind::kIpv6;
    break;
  case ConnectionOptions::PIPE:
    order.first = net::Address::Kind::kPipe;
    break;
  case ConnectionOptions::INTERNAL:
    order.first = net::Address::Kind::kInternal;
    break;
  default:
    break;
  }
  if (proto.has_first_address_family_count()) {
    order.first_count = proto.first_address_family_count().value();
  }
  return order;
}

BreakerThresholds parseThresholds(const CircuitBreakers::Thresholds& proto) {
  BreakerThresholds thresholds;
  const auto set = [](const auto& wrapped, bool has, auto& value) {
    value = has ? wrapped.value() : value;
  };
  set(proto.max_connections(), proto.has_max_connections(), thresholds.max_connections);
  set(proto.max_pending_requests(), proto.has_max_pending_requests(),
      thresholds.max_pending_requests);
  set(proto.max_requests(), proto.has_max_requests(), thresholds.max_requests);
  set(proto.max_retries(), proto.has_max_retries(), thresholds.max_retries);
  if (proto.has_max_connection_pools()) {
    thresholds.max_connection_pools = proto.max_connection_pools().value();
  }
  thresholds.track_remaining = proto.track_remaining();
  return thresholds;
}

// The first entry of a priority counts.
const CircuitBreakers::Thresholds*
findThresholds(const google::protobuf::RepeatedPtrField<CircuitBreakers::Thresholds>& all,
               core::RoutingPriority priority) {
  for (const CircuitBreakers::Thresholds& one : all) {
    if (one.priority() == priority) {
      return &one;
    }
  }
  return nullptr;
}

CircuitBreakerConfig parseBreakers(const CircuitBreakers& proto) {
  CircuitBreakerConfig config;
  if (const auto* normal = findThresholds(proto.thresholds(), core::DEFAULT)) {
    config.normal = parseThresholds(*normal);
  }
  if (const auto* high = findThresholds(proto.thresholds(), core::HIGH)) {
    config.high = parseThresholds(*high);
  }
  const auto* const per_host = findThresholds(proto.per_host_thresholds(), core::DEFAULT);
  if (per_host != nullptr && per_host->has_max_connections()) {
    config.per_host_max_connections = per_host->max_connections().value();
  }
  return config;
}

PreconnectConfig parsePreconnect(const Cluster::PreconnectPolicy& proto) {
  PreconnectConfig config;
  if (proto.has_per_upstream_preconnect_ratio()) {
    config.per_host_ratio = proto.per_upstream_preconnect_ratio().value();
  }
  if (proto.has_predictive_preconnect_ratio()) {
    config.cluster_ratio = proto.predictive_preconnect_ratio().value();
  }
  return config;
}

// The policy of lb_policy and the fields beside it.
absl::StatusOr<Balancing> parseOldPolicy(const Cluster& proto, const registry::Registry& registry) {
  if (proto.lb_policy() == Cluster::CLUSTER_PROVIDED) {
    return errorAt("lb_policy",
                   absl::StrCat("cluster manager: cluster provided LB specified but cluster '",
                                proto.name(),
                                "' did not provide one. Check cluster documentation."));
  }
  std::string name = Cluster::LbPolicy_Name(proto.lb_policy());
  absl::AsciiStrToLower(&name);
  const auto* const factory = static_cast<const LoadBalancerFactory*>(registry.findByName(
      Category::kLoadBalancer, absl::StrCat("envoy.load_balancing_policies.", name)));
  if (factory == nullptr) {
    return errorAt("lb_policy",
                   absl::StrCat(Cluster::LbPolicy_Name(proto.lb_policy()), " is not built in"));
  }
  const std::unique_ptr<Message> config = factory->newConfig();
  factory->takeOver(proto, *config);
  absl::StatusOr<Balancing> balancing = factory->create(*config);
  return balancing.ok() ? balancing
                        : base::errorWithin(absl::StrCat(name, "_lb_config"), balancing.status());
}

// load_balancing_policy: the first of its policies that is built in.
absl::StatusOr<Balancing> parsePolicy(const Cluster& proto, const registry::Registry& registry) {
  if (!proto.has_load_balancing_policy()) {
    return proto.lb_policy() == Cluster::LOAD_BALANCING_POLICY_CONFIG
               ? errorAt("load_balancing_policy",
                         "cluster: field load_balancing_policy need to be set")
               : parseOldPolicy(proto, registry);
  }
  std::vector<std::string> names;
  for (const auto& policy : proto.load_balancing_policy().policies()) {
    const core::TypedExtensionConfig& extension = policy.typed_extension_config();
    const auto* const factory = registry.find<LoadBalancerFactory>(
        Category::kLoadBalancer, base::typeOf(extension.typed_config()));
    const std::string path = absl::StrCat("load_balancing_policy.policies[", names.size(),
                                          "].typed_extension_config.typed_config");
    names.push_back(extension.name());
    if (factory == nullptr) {
      continue;
    }
    absl::StatusOr<std::unique_ptr<Message>> config =
        unpack(extension.typed_config(), *factory, path);
    if (!config.ok()) {
      return config.status();
    }
    absl::StatusOr<Balancing> balancing = factory->create(**config);
    return balancing.ok() ? balancing : base::errorWithin(path, balancing.status());
  }
  return errorAt("load_balancing_policy.policies",
                 absl::StrCat("cluster: didn't find a registered load balancer factory "
                              "implementation for cluster: '",
                              proto.name(), "' with names from [", absl::StrJoin(names, ", "),
                              "]"));
}

struct Kind {
  const ClusterFactory* factory;
  std::unique_ptr<Message> own;
  std::string name;
};

absl::StatusOr<Kind> parseKind(const Cluster& proto, const registry::Registry& registry) {
  if (!proto.has_cluster_type()) {
    const auto* const value = Cluster::DiscoveryType_descriptor()->FindValueByNumber(proto.type());
    const auto* const factory =
        registry.find<ClusterFactory>(Category::kCluster, value->full_name());
    if (factory == nullptr) {
      return errorAt("type", absl::StrCat(value->name(), " clusters are not built in"));
    }
    return Kind{factory, nullptr, std::string(value->name())};
  }
  const Cluster::CustomClusterType& custom = proto.cluster_type();
  const std::string type = base::typeOf(custom.typed_config());
  const auto* const factory = static_cast<const ClusterFactory*>(
      type.empty() ? registry.findByName(Category::kCluster, custom.name())
                   : registry.findFactory(Category::kCluster, type));
  if (factory == nullptr) {
    return errorAt("cluster_type",
                   absl::StrCat("Didn't find a registered cluster factory implementation for "
                                "name: '",
                                custom.name(), "'"));
  }
  absl::StatusOr<std::unique_ptr<Message>> own =
      unpack(custom.typed_config(), *factory, "cluster_type.typed_config");
  if (!own.ok()) {
    return own.status();
  }
  return Kind{factory, *std::move(own), custom.name()};
}

// What needs no look at anything else.
void parsePlain(const Cluster& proto, ClusterConfig& config) {
  config.name = proto.name();
  config.alt_stat_name = proto.alt_stat_name();
  config.metadata = access_log::toMetadata(proto.metadata());
  config.source = std::make_shared<Cluster>(proto);
  config.breakers = parseBreakers(proto.circuit_breakers());
  config.preconnect = parsePreconnect(proto.preconnect_policy());
  config.address_order = parseOrder(proto.upstream_connection_options().happy_eyeballs_config());
  if (proto.has_connect_timeout()) {
    config.connect_timeout = base::toDuration(proto.connect_timeout());
  }
  if (proto.has_per_connection_buffer_limit_bytes()) {
    config.per_connection_buffer_limit_bytes = proto.per_connection_buffer_limit_bytes().value();
  }
  if (proto.common_lb_config().has_healthy_panic_threshold()) {
    config.panic_threshold_percent =
        static_cast<uint32_t>(proto.common_lb_config().healthy_panic_threshold().value());
  }
  if (proto.load_assignment().policy().has_overprovisioning_factor()) {
    config.overprovisioning_percent =
        proto.load_assignment().policy().overprovisioning_factor().value();
  }
  config.weighted_priority_health = proto.load_assignment().policy().weighted_priority_health();
  config.close_on_host_health_failure = proto.close_connections_on_host_health_failure();
  config.ignore_health_on_host_removal = proto.ignore_health_on_host_removal();
  config.ignore_new_hosts_until_first_hc =
      proto.common_lb_config().ignore_new_hosts_until_first_hc();
  if (proto.has_wait_for_warm_on_init()) {
    config.wait_for_warm_on_init = proto.wait_for_warm_on_init().value();
  }
}

absl::Status parseHealth(const Cluster& proto, ClusterConfig& config) {
  if (proto.health_checks_size() > 1) {
    return errorAt("health_checks[1]", "not supported by Culvert yet: several checks of one host");
  }
  if (proto.health_checks_size() == 1) {
    absl::StatusOr<HealthCheckConfig> check = parseHealthCheck(proto.health_checks(0));
    if (!check.ok()) {
      return base::errorWithin("health_checks[0]", check.status());
    }
    if (check->protocol == HealthProtocol::kGrpc && !config.http.http2) {
      return errorAt(
          "health_checks[0].grpc_health_check",
          absl::StrCat(proto.name(), " cluster must support HTTP/2 for gRPC healthchecking"));
    }
    config.health_check = *std::move(check);
  }
  if (proto.has_outlier_detection()) {
    absl::StatusOr<OutlierConfig> outlier = parseOutlier(proto.outlier_detection());
    if (!outlier.ok()) {
      return base::errorWithin("outlier_detection", outlier.status());
    }
    config.outlier = *std::move(outlier);
  }
  return absl::OkStatus();
}

// How hosts are chosen, unless the kind of cluster does that.
absl::Status parseBalancing(const Cluster& proto, const registry::Registry& registry,
                            ClusterConfig& config) {
  absl::StatusOr<Balancing> policy = parsePolicy(proto, registry);
  if (!policy.ok()) {
    return policy.status();
  }
  config.make_policy = std::move(policy->make);
  config.locality_weighted = policy->locality_weighted;
  if (!proto.lb_subset_config().subset_selectors().empty()) { // Envoy does nothing without them.
    absl::StatusOr<SubsetConfig> subsets = parseSubsets(proto.lb_subset_config());
    if (!subsets.ok()) {
      return base::errorWithin("lb_subset_config", subsets.status());
    }
    config.subsets = std::make_shared<const SubsetConfig>(*std::move(subsets));
  }
  return absl::OkStatus();
}

absl::Status checkProvided(const Cluster& proto, absl::string_view kind) {
  if (proto.lb_policy() != Cluster::CLUSTER_PROVIDED) {
    return errorAt("lb_policy",
                   absl::StrCat("cluster: LB policy ", Cluster::LbPolicy_Name(proto.lb_policy()),
                                " is not valid for Cluster type ", kind,
                                ". Only 'CLUSTER_PROVIDED' is allowed with cluster type "
                                "'ORIGINAL_DST'"));
  }
  return proto.has_lb_subset_config()
             ? errorAt("lb_subset_config", "cluster: LB policy CLUSTER_PROVIDED cannot be "
                                           "combined with lb_subset_config")
             : absl::OkStatus();
}

absl::Status parseParts(const Cluster& proto, const ClusterProtoContext& context,
                        ClusterConfig& config) {
  absl::Status status = parseConnect(proto, context, config.connect);
  if (!status.ok()) {
    return status;
  }
  absl::StatusOr<HttpConfig> http = parseHttp(proto);
  if (!http.ok()) {
    return http.status();
  }
  config.http = *http;
  absl::StatusOr<base::Duration> idle_timeout = parseSpareIdleTimeout(proto);
  if (!idle_timeout.ok()) {
    return idle_timeout.status();
  }
  config.spare_idle_timeout = *idle_timeout;
  status = parseHealth(proto, config);
  if (!status.ok()) {
    return status;
  }
  if (proto.has_transport_socket()) {
    const std::unique_ptr<stats::Scope> scope =
        context.stats == nullptr
            ? nullptr
            : context.stats->scope(absl::StrCat("cluster.", config.statName()));
    auto transport =
        parseTransport(proto.transport_socket(), {context.registry, scope.get(), context.tls,
                                                  context.secrets, context.mesh, config});
    if (!transport.ok()) {
      return transport.status();
    }
    config.transport = *std::move(transport);
  }
  return absl::OkStatus();
}

} // namespace

absl::StatusOr<ClusterConfig> parseCluster(const Cluster& proto,
                                           const ClusterProtoContext& context) {
  ClusterConfig config;
  parsePlain(proto, config);
  absl::StatusOr<Kind> kind = parseKind(proto, context.registry);
  if (!kind.ok()) {
    return kind.status();
  }
  config.kind = kind->name;
  auto endpoints = parseEndpoints(proto.load_assignment(), kind->factory->resolvesNames());
  if (!endpoints.ok()) {
    return base::errorWithin("load_assignment", endpoints.status());
  }
  config.endpoints = *std::move(endpoints);
  absl::Status status = kind->factory->choosesHosts()
                            ? checkProvided(proto, kind->name)
                            : parseBalancing(proto, context.registry, config);
  status.Update(status.ok() ? parseParts(proto, context, config) : status);
  status.Update(status.ok() ? kind->factory->configure(proto, kind->own.get(), config) : status);
  if (!status.ok()) {
    return status;
  }
  return config;
}

} // namespace culvert::upstream
