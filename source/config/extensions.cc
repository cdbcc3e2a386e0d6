// SPDX-License-Identifier: Apache-2.0
#include "source/config/extensions.h"

namespace culvert::config {
namespace {

constexpr absl::string_view kNetwork = "envoy.filters.network";
constexpr absl::string_view kListener = "envoy.filters.listener";
constexpr absl::string_view kDownstream = "envoy.transport_sockets.downstream";
constexpr absl::string_view kUpstream = "envoy.transport_sockets.upstream";
constexpr absl::string_view kLogger = "envoy.access_loggers";
constexpr absl::string_view kCluster = "envoy.clusters";
constexpr absl::string_view kBalancer = "envoy.load_balancing_policies";
constexpr absl::string_view kOptions = "envoy.upstream_options";

constexpr KnownExtension kKnown[] = {
    {kNetwork, "envoy.filters.network.tcp_proxy",
     "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "envoy.tcp_proxy"},
    {kNetwork, "envoy.filters.network.echo", "envoy.extensions.filters.network.echo.v3.Echo",
     "envoy.echo"},
    {kNetwork, "envoy.filters.network.direct_response",
     "envoy.extensions.filters.network.direct_response.v3.Config", ""},
    {kNetwork, "envoy.filters.network.rbac", "envoy.extensions.filters.network.rbac.v3.RBAC", ""},
    {kNetwork, "envoy.filters.network.connection_limit",
     "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit", ""},
    {kNetwork, "envoy.filters.network.local_ratelimit",
     "envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit", ""},
    {kNetwork, "envoy.filters.network.sni_cluster",
     "envoy.extensions.filters.network.sni_cluster.v3.SniCluster", ""},
    {kNetwork, "envoy.filters.network.set_filter_state",
     "envoy.extensions.filters.network.set_filter_state.v3.Config", ""},
    {kNetwork, "envoy.filters.network.http_connection_manager",
     "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
     "envoy.http_connection_manager"},
    {kNetwork, "envoy.filters.network.ext_authz",
     "envoy.extensions.filters.network.ext_authz.v3.ExtAuthz", "envoy.ext_authz"},
    {kNetwork, "envoy.filters.network.ratelimit",
     "envoy.extensions.filters.network.ratelimit.v3.RateLimit", "envoy.ratelimit"},
    {kNetwork, "envoy.filters.network.redis_proxy",
     "envoy.extensions.filters.network.redis_proxy.v3.RedisProxy", "envoy.redis_proxy"},
    {kNetwork, "envoy.filters.network.mongo_proxy",
     "envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy", "envoy.mongo_proxy"},
    {kListener, "envoy.filters.listener.original_dst",
     "envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
     "envoy.listener.original_dst"},
    {kListener, "envoy.filters.listener.original_src",
     "envoy.extensions.filters.listener.original_src.v3.OriginalSrc",
     "envoy.listener.original_src"},
    {kListener, "envoy.filters.listener.tls_inspector",
     "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
     "envoy.listener.tls_inspector"},
    {kListener, "envoy.filters.listener.http_inspector",
     "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector",
     "envoy.listener.http_inspector"},
    {kListener, "envoy.filters.listener.proxy_protocol",
     "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
     "envoy.listener.proxy_protocol"},
    {kListener, "envoy.filters.listener.local_ratelimit",
     "envoy.extensions.filters.listener.local_ratelimit.v3.LocalRateLimit", ""},
    {kDownstream, "envoy.transport_sockets.raw_buffer",
     "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer", "raw_buffer"},
    {kDownstream, "envoy.transport_sockets.tls",
     "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", "tls"},
    {kUpstream, "envoy.transport_sockets.raw_buffer",
     "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer", "raw_buffer"},
    {kUpstream, "envoy.transport_sockets.tls",
     "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", "tls"},
    {kUpstream, "envoy.transport_sockets.internal_upstream",
     "envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport", ""},
    {kUpstream, "envoy.transport_sockets.upstream_proxy_protocol",
     "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport", ""},
    {kUpstream, "envoy.transport_sockets.http_11_proxy",
     "envoy.extensions.transport_sockets.http_11_proxy.v3.Http11ProxyUpstreamTransport", ""},
    {kLogger, "envoy.access_loggers.file", "envoy.extensions.access_loggers.file.v3.FileAccessLog",
     "envoy.file_access_log"},
    {kLogger, "envoy.access_loggers.stdout",
     "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", "envoy.stdout_access_log"},
    {kLogger, "envoy.access_loggers.stderr",
     "envoy.extensions.access_loggers.stream.v3.StderrAccessLog", "envoy.stderr_access_log"},
    {kLogger, "envoy.access_loggers.tcp_grpc",
     "envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig", "envoy.tcp_grpc_access_log"},
    {kLogger, "envoy.access_loggers.http_grpc",
     "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
     "envoy.http_grpc_access_log"},
    {kCluster, "envoy.clusters.dns", "envoy.extensions.clusters.dns.v3.DnsCluster",
     "envoy.cluster.dns"},
    {kCluster, "envoy.clusters.original_dst",
     "envoy.extensions.clusters.original_dst.v3.OriginalDstCluster", "envoy.cluster.original_dst"},
    {kCluster, "envoy.clusters.aggregate", "envoy.extensions.clusters.aggregate.v3.ClusterConfig",
     ""},
    {kCluster, "envoy.clusters.dynamic_forward_proxy",
     "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig", ""},
    {kBalancer, "envoy.load_balancing_policies.round_robin",
     "envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin", ""},
    {kBalancer, "envoy.load_balancing_policies.least_request",
     "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest", ""},
    {kBalancer, "envoy.load_balancing_policies.random",
     "envoy.extensions.load_balancing_policies.random.v3.Random", ""},
    {kBalancer, "envoy.load_balancing_policies.ring_hash",
     "envoy.extensions.load_balancing_policies.ring_hash.v3.RingHash", ""},
    {kBalancer, "envoy.load_balancing_policies.maglev",
     "envoy.extensions.load_balancing_policies.maglev.v3.Maglev", ""},
    {kBalancer, "envoy.load_balancing_policies.wrr_locality",
     "envoy.extensions.load_balancing_policies.wrr_locality.v3.WrrLocality", ""},
    {kBalancer, "envoy.load_balancing_policies.subset",
     "envoy.extensions.load_balancing_policies.subset.v3.Subset", ""},
    {kBalancer, "envoy.load_balancing_policies.cluster_provided",
     "envoy.extensions.load_balancing_policies.cluster_provided.v3.ClusterProvided", ""},
    {kOptions, "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
     "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
     "envoy.upstreams.http.http_protocol_options"},
    {kOptions, "envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions",
     "envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions",
     "envoy.upstreams.tcp.tcp_protocol_options"},
    {"envoy.bootstrap", "envoy.bootstrap.internal_listener",
     "envoy.extensions.bootstrap.internal_listener.v3.InternalListener", ""},
    {"envoy.stats_sinks", "envoy.stat_sinks.statsd", "envoy.config.metrics.v3.StatsdSink",
     "envoy.statsd"},
    {"envoy.stats_sinks", "envoy.stat_sinks.dog_statsd", "envoy.config.metrics.v3.DogStatsdSink",
     "envoy.dog_statsd"},
    {"envoy.resource_monitors", "envoy.resource_monitors.global_downstream_max_connections",
     "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
     ""},
    {"envoy.resource_monitors", "envoy.resource_monitors.fixed_heap",
     "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig", ""},
    {"envoy.network.dns_resolver", "envoy.network.dns_resolver.cares",
     "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig", ""},
    {"envoy.network.dns_resolver", "envoy.network.dns_resolver.getaddrinfo",
     "envoy.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig", ""},
    {"envoy.filters.http", "envoy.filters.http.router",
     "envoy.extensions.filters.http.router.v3.Router", "envoy.router"},
    {"envoy.filters.http", "envoy.filters.http.set_filter_state",
     "envoy.extensions.filters.http.set_filter_state.v3.Config", ""},
};

struct Slot {
  absl::string_view field;
  absl::string_view category;
};
constexpr Slot kSlots[] = {
    {"envoy.config.bootstrap.v3.Bootstrap.bootstrap_extensions", "envoy.bootstrap"},
    {"envoy.config.bootstrap.v3.Bootstrap.stats_sinks", "envoy.stats_sinks"},
    {"envoy.config.bootstrap.v3.Bootstrap.typed_dns_resolver_config", "envoy.network.dns_resolver"},
    {"envoy.config.bootstrap.v3.Admin.access_log", kLogger},
    {"envoy.config.listener.v3.Listener.listener_filters", kListener},
    {"envoy.config.listener.v3.Listener.access_log", kLogger},
    {"envoy.config.listener.v3.FilterChain.filters", kNetwork},
    {"envoy.config.listener.v3.FilterChain.transport_socket", kDownstream},
    {"envoy.config.cluster.v3.Cluster.transport_socket", kUpstream},
    {"envoy.config.cluster.v3.Cluster.TransportSocketMatch.transport_socket", kUpstream},
    {"envoy.config.cluster.v3.Cluster.cluster_type", kCluster},
    {"envoy.config.cluster.v3.Cluster.typed_dns_resolver_config", "envoy.network.dns_resolver"},
    {"envoy.config.cluster.v3.Cluster.typed_extension_protocol_options", kOptions},
    {"envoy.config.cluster.v3.LoadBalancingPolicy.Policy.typed_extension_config", kBalancer},
    {"envoy.config.core.v3.HealthCheck.event_logger", "envoy.health_check.event_sinks"},
    {"envoy.config.overload.v3.OverloadManager.resource_monitors", "envoy.resource_monitors"},
    {"envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.access_log", kLogger},
    {"envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.access_log",
     kLogger},
    {"envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager."
     "http_filters",
     "envoy.filters.http"},
    {"envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport."
     "transport_socket",
     kUpstream},
    {"envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport."
     "transport_socket",
     kUpstream},
    {"envoy.extensions.clusters.dns.v3.DnsCluster.typed_dns_resolver_config",
     "envoy.network.dns_resolver"},
};

} // namespace

absl::Span<const KnownExtension> knownExtensions() { return kKnown; }

const KnownExtension* knownExtension(absl::string_view category, absl::string_view name) {
  for (const KnownExtension& known : kKnown) {
    if (known.category == category &&
        (known.name == name || (!name.empty() && known.old_name == name))) {
      return &known;
    }
  }
  return nullptr;
}

absl::string_view extensionCategory(absl::string_view field) {
  for (const Slot& slot : kSlots) {
    if (slot.field == field) {
      return slot.category;
    }
  }
  return "";
}

} // namespace culvert::config
