// SPDX-License-Identifier: Apache-2.0
// Which fields of Envoy's API this proxy honours: envoy-compat section A as data.
#include "source/config/internal/support_rows.h"
#include "source/config/internal/transport_support.h"
#include "source/config/support.h"

namespace culvert::config {
namespace {

using namespace support_rows;

constexpr absl::string_view kBootstrap = "envoy.config.bootstrap.v3.Bootstrap";
constexpr absl::string_view kAdmin = "envoy.config.bootstrap.v3.Admin";
constexpr absl::string_view kLayer = "envoy.config.bootstrap.v3.RuntimeLayer";
constexpr absl::string_view kManager = "envoy.config.bootstrap.v3.ClusterManager";
constexpr absl::string_view kStats = "envoy.config.metrics.v3.StatsConfig";
constexpr absl::string_view kBuckets = "envoy.config.metrics.v3.HistogramBucketSettings";
constexpr absl::string_view kListener = "envoy.config.listener.v3.Listener";
constexpr absl::string_view kChain = "envoy.config.listener.v3.FilterChain";
constexpr absl::string_view kMatch = "envoy.config.listener.v3.FilterChainMatch";
constexpr absl::string_view kListenerFilter = "envoy.config.listener.v3.ListenerFilter";
constexpr absl::string_view kFilter = "envoy.config.listener.v3.Filter";
constexpr absl::string_view kBalance = "envoy.config.listener.v3.Listener.ConnectionBalanceConfig";
constexpr absl::string_view kOverload = "envoy.config.overload.v3.OverloadManager";
constexpr absl::string_view kConnectionsMonitor =
    "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig";
constexpr absl::string_view kHeapMonitor =
    "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig";
constexpr absl::string_view kDynamic = "envoy.config.bootstrap.v3.Bootstrap.DynamicResources";
constexpr absl::string_view kConfigSource = "envoy.config.core.v3.ConfigSource";
constexpr absl::string_view kPathSource = "envoy.config.core.v3.PathConfigSource";
constexpr absl::string_view kNode = "envoy.config.core.v3.Node";
constexpr absl::string_view kAddress = "envoy.config.core.v3.Address";
constexpr absl::string_view kSocketAddress = "envoy.config.core.v3.SocketAddress";
constexpr absl::string_view kSocketOption = "envoy.config.core.v3.SocketOption";
constexpr absl::string_view kBind = "envoy.config.core.v3.BindConfig";
constexpr absl::string_view kSource = "envoy.config.core.v3.DataSource";
constexpr absl::string_view kFormat = "envoy.config.core.v3.SubstitutionFormatString";
constexpr absl::string_view kLog = "envoy.config.accesslog.v3.AccessLog";
constexpr absl::string_view kLogFilter = "envoy.config.accesslog.v3.AccessLogFilter";
constexpr absl::string_view kTlsInspector =
    "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";
constexpr absl::string_view kTcp = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
constexpr absl::string_view kTunneling =
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TunnelingConfig";
constexpr absl::string_view kTcpWeight =
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight";

constexpr absl::string_view kRbac = "envoy.extensions.filters.network.rbac.v3.RBAC";
constexpr absl::string_view kRbacRules = "envoy.config.rbac.v3.RBAC";
constexpr absl::string_view kPolicy = "envoy.config.rbac.v3.Policy";
constexpr absl::string_view kPermission = "envoy.config.rbac.v3.Permission";
constexpr absl::string_view kPrincipal = "envoy.config.rbac.v3.Principal";
constexpr absl::string_view kStateValue =
    "envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue";

constexpr absl::string_view kXds = "configuration from a control plane";
constexpr absl::string_view kAboutRequests =
    "a connection has no requests: not supported by RBAC network filter";
constexpr absl::string_view kOneProtocol = "it is for UDP, QUIC or API listeners";

constexpr FieldSupport kBootstrapFields[] = {
    {kBootstrap, kHonoured,
     "node static_resources admin cluster_manager stats_config stats_flush_interval "
     "stats_flush_on_admin layered_runtime application_log_config bootstrap_extensions",
     ""},
    {kBootstrap, kIgnored, "watchdog watchdogs", "no watchdog runs"},
    {kBootstrap, kIgnored,
     "typed_dns_resolver_config dns_resolution_config use_tcp_for_dns_lookups", kResolver},
    {kBootstrap, kIgnored,
     "deferred_stat_options memory_allocator_manager enable_dispatcher_stats header_prefix "
     "stats_eviction_interval enable_worker_cpu_affinity xds_delegate_extension "
     "xds_config_tracker_extension grpc_async_client_manager_config stats_server_version_override",
     kTuning},
    {kBootstrap, kIgnored, "tracing inline_headers", kHttp},
    {kBootstrap, kIgnored, "perf_tracing_file_path fatal_actions", "there is nothing like it here"},
    {kBootstrap, kIgnored, "default_regex_engine", "RE2 is always used"},
    {kBootstrap, kHonoured, "dynamic_resources overload_manager", ""},
    {kOverload, kHonoured, "refresh_interval resource_monitors actions", ""},
    {kOverload, kRefused, "loadshed_points buffer_factory_config", kHttp},
    {"envoy.config.overload.v3.ResourceMonitor", kHonoured, "name typed_config", ""},
    {"envoy.config.overload.v3.OverloadAction", kHonoured, "name triggers", ""},
    {"envoy.config.overload.v3.OverloadAction", kRefused, "typed_config",
     "no action that is there takes one"},
    {"envoy.config.overload.v3.Trigger", kHonoured, "*", ""},
    {kConnectionsMonitor, kHonoured, "*", ""},
    {kHeapMonitor, kHonoured, "*", ""},
    {kBootstrap, kNotYet, "node_context_params", kXds},
    {kDynamic, kHonoured, "lds_config cds_config", ""},
    {kDynamic, kNotYet, "ads_config", kXds},
    {kDynamic, kRefused, "lds_resources_locator cds_resources_locator",
     "there are no xdstp resources"},
    {kConfigSource, kHonoured, "path_config_source path resource_api_version", ""},
    {kConfigSource, kIgnored, "initial_fetch_timeout authorities", "a file answers at once"},
    {kConfigSource, kNotYet, "api_config_source ads", kXds},
    {kConfigSource, kRefused, "self", "a source is always named"},
    {kPathSource, kHonoured, "path watched_directory", ""},
    {kPathSource, kIgnored, "poll_interval", "the kernel tells of every change"},
    {kBootstrap, kHonoured, "stats_sinks", ""},
    {"envoy.config.metrics.v3.StatsSink", kHonoured, "name typed_config", ""},
    {"envoy.config.metrics.v3.StatsdSink", kHonoured, "*", ""},
    {"envoy.config.metrics.v3.DogStatsdSink", kHonoured, "*", ""},
    {kBootstrap, kRefused, "flags_path", "the runtime comes from layered_runtime"},
    {kBootstrap, kRefused, "hds_config", "there is no health discovery service"},
    {kBootstrap, kRefused, "config_sources default_config_source", "there are no xdstp resources"},
    {kBootstrap, kRefused, "default_socket_interface", "sockets are always the kernel's"},
    {kBootstrap, kRefused, "certificate_provider_instances", "certificates come from files or SDS"},
    {kBootstrap, kRefused, "listener_manager", "there is only one"},
    {"envoy.config.bootstrap.v3.Bootstrap.StaticResources", kHonoured, "listeners clusters secrets",
     ""},
    {"envoy.config.bootstrap.v3.Bootstrap.ApplicationLogConfig", kHonoured, "*", ""},
    {kAdmin, kHonoured, "address access_log allow_paths", ""},
    {kAdmin, kIgnored, "access_log_path", "use access_log"},
    {kAdmin, kIgnored, "profile_path socket_options ignore_global_conn_limit", kTuning},
    {"envoy.config.bootstrap.v3.LayeredRuntime", kHonoured, "layers", ""},
    {kLayer, kHonoured, "name static_layer disk_layer admin_layer", ""},
    {kLayer, kNotYet, "rtds_layer", kXds},
    {"envoy.config.bootstrap.v3.RuntimeLayer.DiskLayer", kHonoured, "*", ""},
    {"envoy.config.bootstrap.v3.RuntimeLayer.AdminLayer", kHonoured, "*", ""},
    {kManager, kHonoured, "local_cluster_name upstream_bind_config outlier_detection", ""},
    {"envoy.config.bootstrap.v3.ClusterManager.OutlierDetection", kHonoured, "event_log_path", ""},
    {"envoy.config.bootstrap.v3.ClusterManager.OutlierDetection", kNotYet, "event_service",
     "sending events to a service"},
    {kManager, kIgnored, "enable_deferred_cluster_creation", kTuning},
    {kManager, kRefused, "load_stats_config", "there is no load reporting"},
    {kStats, kHonoured, "stats_tags use_all_default_tags stats_matcher histogram_bucket_settings",
     ""},
    {kStats, kIgnored, "allow_default_tag_overrides", "the first tag of a name stays"},
    {"envoy.config.metrics.v3.TagSpecifier", kHonoured, "*", ""},
    {"envoy.config.metrics.v3.StatsMatcher", kHonoured, "*", ""},
    {kBuckets, kHonoured, "match buckets", ""},
    {kBuckets, kIgnored, "bins", "the bins have a fixed precision"},
    {kNode, kHonoured, "id cluster metadata locality", ""},
    {kNode, kIgnored,
     "dynamic_parameters user_agent_name user_agent_version user_agent_build_version extensions "
     "client_features listening_addresses",
     "this proxy describes itself"},
};

constexpr FieldSupport kListenerFields[] = {
    {kListener, kHonoured,
     "name address additional_addresses stat_prefix filter_chains default_filter_chain "
     "per_connection_buffer_limit_bytes metadata drain_type listener_filters "
     "listener_filters_timeout "
     "continue_on_listener_filters_timeout transparent freebind socket_options "
     "tcp_fast_open_queue_length traffic_direction connection_balance_config reuse_port "
     "enable_reuse_port access_log tcp_backlog_size max_connections_to_accept_per_socket_event "
     "bind_to_port deprecated_v1 use_original_dst ignore_global_conn_limit bypass_overload_manager "
     "tcp_keepalive internal_listener",
     ""},
    {kListener, kIgnored, "stats_matcher", "every statistic of a listener is kept"},
    {kListener, kNotYet, "filter_chain_matcher", "matcher trees"},
    {kListener, kNotYet, "per_connection_buffer_high_watermark_timeout",
     "closing connections that stay above their watermark"},
    {kListener, kRefused, "udp_listener_config api_listener fcds_config", kOneProtocol},
    {kListener, kRefused, "enable_mptcp", "there is no multipath TCP"},
    {"envoy.config.listener.v3.Listener.DeprecatedV1", kHonoured, "bind_to_port", ""},
    {"envoy.config.listener.v3.Listener.InternalListenerConfig", kHonoured, "*", ""},
    {"envoy.extensions.bootstrap.internal_listener.v3.InternalListener", kHonoured, "*", ""},
    {kBalance, kHonoured, "exact_balance", ""},
    {kBalance, kRefused, "extend_balance cpu_locality_balance", "exact_balance is the only one"},
    {"envoy.config.listener.v3.Listener.ConnectionBalanceConfig.ExactBalance", kHonoured, "*", ""},
    {"envoy.config.listener.v3.AdditionalAddress", kHonoured,
     "address socket_options tcp_keepalive", ""},
    {"envoy.config.core.v3.SocketOptionsOverride", kHonoured, "socket_options", ""},
    {kChain, kHonoured,
     "filter_chain_match filters metadata transport_socket transport_socket_connect_timeout name "
     "use_proxy_proto",
     ""},
    {kMatch, kHonoured,
     "destination_port prefix_ranges direct_source_prefix_ranges source_type source_prefix_ranges "
     "source_ports transport_protocol server_names application_protocols",
     ""},
    {kMatch, kRefused, "address_suffix suffix_len",
     "Envoy refuses it too: filter chain contains unimplemented fields"},
    {kListenerFilter, kHonoured, "name typed_config filter_disabled", ""},
    {"envoy.config.listener.v3.ListenerFilterChainMatchPredicate", kHonoured, "*", ""},
    {kListenerFilter, kRefused, "config_discovery", "there is no discovery of single filters"},
    {kFilter, kHonoured, "name typed_config", ""},
    {kFilter, kRefused, "config_discovery", "there is no discovery of single filters"},
};

constexpr FieldSupport kCoreFields[] = {
    {kAddress, kHonoured, "socket_address pipe envoy_internal_address", ""},
    {"envoy.config.core.v3.EnvoyInternalAddress", kHonoured, "*", ""},
    {kSocketAddress, kHonoured, "protocol address port_value ipv4_compat", ""},
    {kSocketAddress, kRefused, "named_port",
     "Envoy refuses it too: IP resolver can't handle port specifier type 4"},
    {kSocketAddress, kRefused, "resolver_name", "addresses are resolved by the cluster's type"},
    {kSocketAddress, kRefused, "network_namespace_filepath", "sockets are in the proxy's own"},
    {"envoy.config.core.v3.Pipe", kHonoured, "*", ""},
    {kSocketOption, kHonoured, "description level name int_value buf_value state", ""},
    {kSocketOption, kNotYet, "type ip_version", "socket options for some addresses only"},
    {kBind, kHonoured, "source_address freebind socket_options", ""},
    {kBind, kNotYet, "extra_source_addresses additional_source_addresses",
     "a source address for each family"},
    {kBind, kRefused, "local_address_selector validate_network_namespaces",
     "there is one source address"},
    {"envoy.config.core.v3.TcpKeepalive", kHonoured, "*", ""},
    {"envoy.config.core.v3.CidrRange", kHonoured, "*", ""},
    {"envoy.config.core.v3.Metadata", kHonoured, "*", ""},
    {"envoy.config.core.v3.Locality", kHonoured, "*", ""},
    {"envoy.config.core.v3.TransportSocket", kHonoured, "name typed_config", ""},
    {"envoy.config.core.v3.TypedExtensionConfig", kHonoured, "name typed_config", ""},
    {kSource, kHonoured, "filename inline_bytes inline_string environment_variable", ""},
    {kSource, kIgnored, "watched_directory", "the file is read once"},
    {kFormat, kHonoured,
     "text_format json_format text_format_source omit_empty_values json_format_options", ""},
    {kFormat, kIgnored, "content_type", kHttp},
    {kFormat, kRefused, "formatters", "there are no formatter extensions"},
    {"envoy.config.core.v3.JsonFormatOptions", kHonoured, "*", ""},
    {"envoy.config.core.v3.RuntimeDouble", kHonoured, "*", ""},
    {"envoy.config.core.v3.RuntimeUInt32", kHonoured, "*", ""},
    {"envoy.config.core.v3.RuntimeFeatureFlag", kHonoured, "*", ""},
    {"envoy.config.core.v3.BackoffStrategy", kHonoured, "*", ""},
    {"envoy.type.v3.Percent", kHonoured, "*", ""},
    {"envoy.type.v3.FractionalPercent", kHonoured, "*", ""},
    {"envoy.type.matcher.v3.StringMatcher", kHonoured, "*", ""},
    {kLog, kHonoured, "name filter typed_config", ""},
    {kLogFilter, kHonoured,
     "status_code_filter duration_filter not_health_check_filter traceable_filter runtime_filter "
     "and_filter or_filter header_filter response_flag_filter grpc_status_filter log_type_filter "
     "metadata_filter",
     ""},
    {kLogFilter, kRefused, "extension_filter", "there are no filter extensions for access logs"},
    {"envoy.config.accesslog.v3.AndFilter", kHonoured, "filters", ""},
    {"envoy.config.accesslog.v3.OrFilter", kHonoured, "filters", ""},
    {"envoy.config.accesslog.v3.StatusCodeFilter", kHonoured, "*", ""},
    {"envoy.config.accesslog.v3.DurationFilter", kHonoured, "*", ""},
    {"envoy.config.accesslog.v3.NotHealthCheckFilter", kHonoured, "*", ""},
    {"envoy.config.accesslog.v3.TraceableFilter", kHonoured, "*", ""},
    {"envoy.config.accesslog.v3.RuntimeFilter", kHonoured, "*", ""},
    {"envoy.config.accesslog.v3.HeaderFilter", kHonoured, "*", ""},
    {"envoy.config.accesslog.v3.ResponseFlagFilter", kHonoured, "*", ""},
    {"envoy.config.accesslog.v3.GrpcStatusFilter", kHonoured, "*", ""},
    {"envoy.config.accesslog.v3.LogTypeFilter", kHonoured, "*", ""},
    {"envoy.config.accesslog.v3.MetadataFilter", kHonoured, "*", ""},
    {"envoy.extensions.access_loggers.file.v3.FileAccessLog", kHonoured,
     "path format json_format typed_json_format log_format", ""},
    {"envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", kHonoured, "log_format", ""},
    {"envoy.extensions.access_loggers.stream.v3.StderrAccessLog", kHonoured, "log_format", ""},
};

constexpr FieldSupport kFilterFields[] = {
    {kTcp, kHonoured,
     "stat_prefix cluster weighted_clusters idle_timeout max_connect_attempts backoff_options "
     "max_downstream_connection_duration max_downstream_connection_duration_jitter_percentage "
     "access_log access_log_options access_log_flush_interval flush_access_log_on_connected "
     "upstream_connect_mode max_early_data_bytes hash_policy metadata_match check_drain_close",
     ""},
    {kTcp, kIgnored, "downstream_idle_timeout upstream_idle_timeout",
     "Envoy does not use it either; set idle_timeout"},
    {kTcp, kHonoured, "tunneling_config", ""},
    {kTunneling, kHonoured, "hostname use_post post_path headers_to_add propagate_response_headers",
     ""},
    {kTunneling, kNotYet, "propagate_response_trailers", "what a host says as a tunnel ends"},
    {kTunneling, kNotYet, "request_id_extension request_id_header request_id_metadata_key",
     "numbers of requests"},
    {kTunneling, kRefused, "formatters", "formats have the operators that are built in"},
    {kTcp, kNotYet, "proxy_protocol_tlvs proxy_protocol_tlv_merge_policy",
     "writing the PROXY header"},
    {kTcp, kRefused, "on_demand", "there is no discovery of clusters on demand"},
    {"envoy.type.v3.HashPolicy", kHonoured, "source_ip filter_state", ""},
    {"envoy.type.v3.HashPolicy.SourceIp", kHonoured, "*", ""},
    {"envoy.type.v3.HashPolicy.FilterState", kHonoured, "key", ""},
    {"envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster", kHonoured,
     "clusters", ""},
    {kTcpWeight, kHonoured, "name weight metadata_match", ""},
    {"envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TcpAccessLogOptions", kHonoured, "*",
     ""},
    {"envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit", kHonoured, "*", ""},
    {"envoy.extensions.filters.network.direct_response.v3.Config", kHonoured, "response", ""},
    {"envoy.extensions.filters.network.echo.v3.Echo", kHonoured, "*", ""},
    {"envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit", kHonoured, "*", ""},
    {kRbac, kHonoured,
     "rules shadow_rules shadow_rules_stat_prefix stat_prefix enforcement_type delay_deny", ""},
    {kRbac, kRefused, "matcher shadow_matcher", "policies are written in rules and shadow_rules"},
    {kRbacRules, kHonoured, "action policies", ""},
    {kRbacRules, kRefused, "audit_logging_options", "the access log tells what was denied"},
    {kPolicy, kHonoured, "permissions principals", ""},
    {kPolicy, kRefused, "condition checked_condition cel_config", "there are no CEL expressions"},
    {kPermission, kHonoured,
     "any and_rules or_rules not_rule destination_ip destination_port destination_port_range "
     "requested_server_name metadata sourced_metadata",
     ""},
    {kPermission, kRefused, "header url_path uri_template", kAboutRequests},
    {kPermission, kRefused, "matcher", "there are no matcher extensions"},
    {"envoy.config.rbac.v3.Permission.Set", kHonoured, "rules", ""},
    {kPrincipal, kHonoured,
     "any and_ids or_ids not_id authenticated source_ip direct_remote_ip remote_ip metadata "
     "sourced_metadata filter_state",
     ""},
    {kPrincipal, kRefused, "header url_path", kAboutRequests},
    {kPrincipal, kRefused, "custom", "there are no principal extensions"},
    {"envoy.config.rbac.v3.Principal.Set", kHonoured, "ids", ""},
    {"envoy.config.rbac.v3.Principal.Authenticated", kHonoured, "principal_name", ""},
    {"envoy.config.rbac.v3.SourcedMetadata", kHonoured, "*", ""},
    {"envoy.extensions.filters.network.set_filter_state.v3.Config", kHonoured,
     "on_new_connection on_downstream_tls_handshake on_downstream_data", ""},
    {kStateValue, kHonoured,
     "object_key factory_key format_string shared_with_upstream skip_if_empty", ""},
    {kStateValue, kIgnored, "read_only", "Envoy does not use it either"},
    {"envoy.type.v3.Int32Range", kHonoured, "*", ""},
    {"envoy.type.matcher.v3.MetadataMatcher", kHonoured, "*", ""},
    {"envoy.type.metadata.v3.MetadataKey", kHonoured, "*", ""},
    {"envoy.type.matcher.v3.FilterStateMatcher", kHonoured, "*", ""},
    {"envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer", kHonoured, "*", ""},
    {"envoy.extensions.filters.listener.original_dst.v3.OriginalDst", kHonoured, "*", ""},
    {"envoy.extensions.filters.listener.original_src.v3.OriginalSrc", kHonoured, "mark", ""},
    {"envoy.extensions.filters.listener.original_src.v3.OriginalSrc", kIgnored, "bind_port",
     "Envoy does not use it either: the kernel picks a port"},
    {"envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol", kHonoured, "*", ""},
    {"envoy.extensions.filters.network.sni_cluster.v3.SniCluster", kHonoured, "*", ""},
    {kTlsInspector, kHonoured,
     "initial_read_buffer_size max_client_hello_size "
     "close_connection_on_client_hello_parsing_errors",
     ""},
    {kTlsInspector, kIgnored, "enable_ja3_fingerprinting enable_ja4_fingerprinting",
     "no fingerprints are taken of clients"},
};

constexpr ValueSupport kValues[] = {
    {"envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext.ocsp_staple_policy",
     "MUST_STAPLE", kRefused, kStapling},
    {"envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext.ocsp_staple_policy",
     "STRICT_STAPLING", kIgnored, kStapling},
    {"envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher.san_type", "OTHER_NAME",
     kRefused, kOtherNames},
    {"envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.codec_type",
     "HTTP3", kRefused, "there is no QUIC"},
    {"envoy.config.core.v3.SocketAddress.protocol", "UDP", kRefused, "this is a TCP proxy"},
    {"envoy.config.core.v3.HealthCheck.HttpHealthCheck.codec_client_type", "HTTP3", kRefused,
     "there is no QUIC"},
};

} // namespace

absl::Span<const absl::Span<const FieldSupport>> fieldSupport() {
  static const absl::Span<const FieldSupport> tables[] = {
      kBootstrapFields, kListenerFields, kCoreFields,      clusterFields(),
      kFilterFields,    tlsFields(),     kTransportFields, httpFields(),
  };
  return tables;
}

absl::Span<const ValueSupport> valueSupport() { return kValues; }

} // namespace culvert::config
