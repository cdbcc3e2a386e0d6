// SPDX-License-Identifier: Apache-2.0
// Which fields of clusters and their endpoints this proxy honours: envoy-compat section A.5 as
// data.
#include "source/config/internal/support_rows.h"

namespace culvert::config {
namespace {

using namespace support_rows;

constexpr absl::string_view kCluster = "envoy.config.cluster.v3.Cluster";
constexpr absl::string_view kCommonLb = "envoy.config.cluster.v3.Cluster.CommonLbConfig";
constexpr absl::string_view kLeastLb = "envoy.config.cluster.v3.Cluster.LeastRequestLbConfig";
constexpr absl::string_view kOriginalDst = "envoy.config.cluster.v3.Cluster.OriginalDstLbConfig";
constexpr absl::string_view kOriginalDstCluster =
    "envoy.extensions.clusters.original_dst.v3.OriginalDstCluster";
constexpr absl::string_view kSubset = "envoy.config.cluster.v3.Cluster.LbSubsetConfig";
constexpr absl::string_view kSubsetSelector =
    "envoy.config.cluster.v3.Cluster.LbSubsetConfig.LbSubsetSelector";
constexpr absl::string_view kHealthCheck = "envoy.config.core.v3.HealthCheck";
constexpr absl::string_view kHttpCheck = "envoy.config.core.v3.HealthCheck.HttpHealthCheck";
constexpr absl::string_view kCommonHttp = "envoy.config.core.v3.HttpProtocolOptions";
constexpr absl::string_view kHttpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
constexpr absl::string_view kExplicitHttp =
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig";
constexpr absl::string_view kOutlier = "envoy.config.cluster.v3.OutlierDetection";
constexpr absl::string_view kThresholds = "envoy.config.cluster.v3.CircuitBreakers.Thresholds";
constexpr absl::string_view kConnect = "envoy.config.cluster.v3.UpstreamConnectionOptions";
constexpr absl::string_view kPreconnect = "envoy.config.cluster.v3.Cluster.PreconnectPolicy";
constexpr absl::string_view kDns = "envoy.extensions.clusters.dns.v3.DnsCluster";
constexpr absl::string_view kLeastRequest =
    "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest";
constexpr absl::string_view kLocalityLb =
    "envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig";
constexpr absl::string_view kHashingLb =
    "envoy.extensions.load_balancing_policies.common.v3.ConsistentHashingLbConfig";
constexpr absl::string_view kRingHash =
    "envoy.extensions.load_balancing_policies.ring_hash.v3.RingHash";
constexpr absl::string_view kAssignment = "envoy.config.endpoint.v3.ClusterLoadAssignment";
constexpr absl::string_view kAssignmentPolicy =
    "envoy.config.endpoint.v3.ClusterLoadAssignment.Policy";
constexpr absl::string_view kLocality = "envoy.config.endpoint.v3.LocalityLbEndpoints";
constexpr absl::string_view kLbEndpoint = "envoy.config.endpoint.v3.LbEndpoint";
constexpr absl::string_view kEndpoint = "envoy.config.endpoint.v3.Endpoint";
constexpr absl::string_view kTls = "transport sockets chosen by the host";
constexpr absl::string_view kZones = "balancing by zone";
constexpr absl::string_view kBoundedLoad = "hash balancing with bounded loads";
constexpr absl::string_view kSubsets = "this way to make subsets";

constexpr FieldSupport kClusterFields[] = {
    {kCluster, kHonoured,
     "name alt_stat_name type cluster_type connect_timeout per_connection_buffer_limit_bytes "
     "lb_policy load_assignment circuit_breakers dns_refresh_rate dns_jitter "
     "dns_failure_refresh_rate respect_dns_ttl dns_lookup_family wait_for_warm_on_init "
     "upstream_bind_config least_request_lb_config round_robin_lb_config common_lb_config "
     "transport_socket metadata upstream_connection_options load_balancing_policy "
     "ring_hash_lb_config maglev_lb_config lb_subset_config original_dst_lb_config "
     "eds_cluster_config cleanup_interval health_checks outlier_detection "
     "ignore_health_on_host_removal close_connections_on_host_health_failure "
     "typed_extension_protocol_options preconnect_policy "
     "connection_pool_per_downstream_connection",
     ""},
    {kCluster, kIgnored,
     "dns_resolvers dns_resolution_config typed_dns_resolver_config use_tcp_for_dns_lookups",
     kResolver},
    {kCluster, kIgnored, "stats_matcher", "every statistic of a cluster is kept"},
    {kCluster, kIgnored, "lrs_server lrs_report_endpoint_metrics", "there is no load reporting"},
    {kCluster, kIgnored, "queuing_policies", kTuning},
    {kPreconnect, kHonoured, "per_upstream_preconnect_ratio predictive_preconnect_ratio", ""},
    {kPreconnect, kNotYet, "preconnect_enabled_metadata", "connections ahead to some hosts only"},
    {"envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions", kHonoured, "idle_timeout", ""},
    {kCluster, kIgnored,
     "upstream_http_protocol_options http_protocol_options protocol_selection "
     "track_timeout_budgets track_cluster_stats",
     kHttp},
    {kCluster, kHonoured,
     "max_requests_per_connection common_http_protocol_options http2_protocol_options", ""},
    {"envoy.config.cluster.v3.Cluster.EdsClusterConfig", kHonoured, "eds_config service_name", ""},
    {kSubset, kHonoured,
     "fallback_policy default_subset subset_selectors locality_weight_aware panic_mode_any "
     "list_as_any",
     ""},
    {kSubset, kNotYet, "scale_locality_weight metadata_fallback_policy", kSubsets},
    {kSubsetSelector, kHonoured, "*", ""},
    {kOriginalDst, kHonoured, "upstream_port_override metadata_key", ""},
    {kOriginalDst, kRefused, "use_http_header http_header_name", "there are no HTTP headers"},
    {kOriginalDstCluster, kHonoured, "upstream_port_override metadata_key", ""},
    {kOriginalDstCluster, kRefused, "use_http_header http_header_name",
     "there are no HTTP headers"},
    {kCluster, kNotYet, "transport_socket_matches transport_socket_matcher", kTls},
    {kHttpOptions, kHonoured, "explicit_http_config common_http_protocol_options", ""},
    {kHttpOptions, kIgnored,
     "upstream_http_protocol_options http_filters header_validation_config outlier_detection "
     "request_mirror_policies hash_policy retry_policy",
     kHttp},
    {kHttpOptions, kIgnored, "use_downstream_protocol_config auto_config",
     "tunnels are asked for over HTTP/1.1, unless explicit_http_config says HTTP/2"},
    {kCommonHttp, kHonoured,
     "idle_timeout max_connection_duration max_headers_count max_requests_per_connection", ""},
    {kCommonHttp, kIgnored,
     "max_response_headers_kb max_stream_duration "
     "headers_with_underscores_action max_connection_duration_jitter",
     kHttp},
    {"envoy.config.core.v3.KeepaliveSettings", kHonoured, "interval timeout", ""},
    {"envoy.config.core.v3.KeepaliveSettings", kIgnored, "interval_jitter connection_idle_interval",
     kTuning},
    {kExplicitHttp, kHonoured, "http_protocol_options http2_protocol_options", ""},
    {kExplicitHttp, kRefused, "http3_protocol_options", "there is no QUIC"},
    {"envoy.config.core.v3.Http1ProtocolOptions", kIgnored,
     "allow_absolute_url accept_http_10 default_host_for_http_10 header_key_format "
     "enable_trailers allow_chunked_length override_stream_error_on_invalid_http_message "
     "send_fully_qualified_url use_balsa_parser allow_custom_methods ignore_http_11_upgrade",
     kHttp},
    {"envoy.config.core.v3.Http2ProtocolOptions", kHonoured,
     "max_concurrent_streams initial_stream_window_size initial_connection_window_size "
     "allow_connect connection_keepalive override_stream_error_on_invalid_http_message "
     "stream_error_on_invalid_http_messaging custom_settings_parameters",
     ""},
    {"envoy.config.core.v3.Http2ProtocolOptions.SettingsParameter", kHonoured, "*", ""},
    {"envoy.config.core.v3.Http2ProtocolOptions", kIgnored,
     "hpack_table_size allow_metadata max_outbound_frames "
     "max_outbound_control_frames max_consecutive_inbound_frames_with_empty_payload "
     "max_inbound_priority_frames_per_stream max_inbound_window_update_frames_per_data_frame_sent "
     "use_oghttp2_codec max_metadata_size "
     "enable_huffman_encoding max_header_field_size_kb disallow_obs_text stream_reset_burst "
     "stream_reset_rate",
     kHttp},
    {kCluster, kNotYet, "per_connection_buffer_high_watermark_timeout",
     "closing connections that stay above their watermark"},
    {kCluster, kRefused, "filters", "there are no filters towards upstreams"},
    {kCluster, kRefused, "upstream_config", "there is one kind of upstream"},
    {"envoy.config.cluster.v3.Cluster.CustomClusterType", kHonoured, "name typed_config", ""},
    {"envoy.config.cluster.v3.Cluster.RefreshRate", kHonoured, "*", ""},
    {"envoy.config.cluster.v3.Cluster.RoundRobinLbConfig", kHonoured, "*", ""},
    {kLeastLb, kHonoured, "choice_count active_request_bias slow_start_config", ""},
    {"envoy.config.cluster.v3.Cluster.SlowStartConfig", kHonoured, "*", ""},
    {"envoy.extensions.load_balancing_policies.common.v3.SlowStartConfig", kHonoured, "*", ""},
    {"envoy.config.cluster.v3.Cluster.RingHashLbConfig", kHonoured, "*", ""},
    {"envoy.config.cluster.v3.Cluster.MaglevLbConfig", kHonoured, "*", ""},
    {kCommonLb, kHonoured,
     "healthy_panic_threshold update_merge_window locality_weighted_lb_config "
     "consistent_hashing_lb_config ignore_new_hosts_until_first_hc",
     ""},
    {kCommonLb, kNotYet, "zone_aware_lb_config", kZones},
    {"envoy.config.cluster.v3.Cluster.CommonLbConfig.LocalityWeightedLbConfig", kHonoured, "*", ""},
    {"envoy.config.cluster.v3.Cluster.CommonLbConfig.ConsistentHashingLbConfig", kHonoured,
     "use_hostname_for_hashing", ""},
    {"envoy.config.cluster.v3.Cluster.CommonLbConfig.ConsistentHashingLbConfig", kNotYet,
     "hash_balance_factor", kBoundedLoad},
    {kCommonLb, kRefused, "override_host_status", "there is no policy that overrides hosts"},
    {kCommonLb, kIgnored, "close_connections_on_host_set_change",
     "it drains pools, and TCP connections are not pooled"},
    {kHealthCheck, kHonoured,
     "name timeout interval initial_jitter interval_jitter interval_jitter_percent "
     "unhealthy_threshold healthy_threshold alt_port reuse_connection http_health_check "
     "tcp_health_check grpc_health_check no_traffic_interval no_traffic_healthy_interval "
     "unhealthy_interval "
     "unhealthy_edge_interval healthy_edge_interval event_log_path event_logger "
     "always_log_health_check_failures always_log_health_check_success",
     ""},
    {kHealthCheck, kNotYet, "tls_options transport_socket_match_criteria", kTls},
    {kHealthCheck, kNotYet, "event_service", "sending events to a service"},
    {kHealthCheck, kRefused, "custom_health_check", "there are TCP, HTTP and gRPC checks"},
    {"envoy.config.core.v3.HealthCheck.Payload", kHonoured, "*", ""},
    {"envoy.config.core.v3.HealthCheck.TcpHealthCheck", kHonoured, "send receive", ""},
    {"envoy.config.core.v3.HealthCheck.TcpHealthCheck", kNotYet, "proxy_protocol_config",
     "writing the PROXY header"},
    {"envoy.config.core.v3.HealthCheck.GrpcHealthCheck", kHonoured, "*", ""},
    {"envoy.config.core.v3.HeaderValueOption", kHonoured, "*", ""},
    {kHttpCheck, kHonoured,
     "host path expected_statuses retriable_statuses codec_client_type method "
     "request_headers_to_add request_headers_to_remove",
     ""},
    {kHttpCheck, kNotYet,
     "send receive response_buffer_size use_alpn_protocol service_name_matcher",
     "health checks that look at headers and bodies"},
    {"envoy.type.v3.Int64Range", kHonoured, "*", ""},
    {"envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink", kHonoured, "*",
     ""},
    {kOutlier, kHonoured,
     "consecutive_5xx interval base_ejection_time max_ejection_percent enforcing_consecutive_5xx "
     "enforcing_success_rate success_rate_minimum_hosts success_rate_request_volume "
     "success_rate_stdev_factor consecutive_gateway_failure enforcing_consecutive_gateway_failure "
     "split_external_local_origin_errors consecutive_local_origin_failure "
     "enforcing_consecutive_local_origin_failure enforcing_local_origin_success_rate "
     "failure_percentage_threshold enforcing_failure_percentage "
     "enforcing_failure_percentage_local_origin failure_percentage_minimum_hosts "
     "failure_percentage_request_volume max_ejection_time max_ejection_time_jitter "
     "successful_active_health_check_uneject_host always_eject_one_host",
     ""},
    {kOutlier, kIgnored, "detect_degraded_hosts", kHttp},
    {kOutlier, kRefused, "monitors", "there are no extensions that detect outliers"},
    {"envoy.config.cluster.v3.CircuitBreakers", kHonoured, "thresholds per_host_thresholds", ""},
    {kThresholds, kHonoured,
     "priority max_connections max_pending_requests max_requests max_retries track_remaining "
     "max_connection_pools",
     ""},
    {kThresholds, kIgnored, "retry_budget", kHttp},
    {kConnect, kHonoured, "tcp_keepalive happy_eyeballs_config", ""},
    {kConnect, kIgnored, "set_local_interface_name_on_upstream_connections", kTuning},
    {"envoy.config.cluster.v3.UpstreamConnectionOptions.HappyEyeballsConfig", kHonoured, "*", ""},
    {"envoy.config.cluster.v3.LoadBalancingPolicy", kHonoured, "policies", ""},
    {"envoy.config.cluster.v3.LoadBalancingPolicy.Policy", kHonoured, "typed_extension_config", ""},
    {"envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin", kHonoured,
     "locality_lb_config slow_start_config", ""},
    {"envoy.extensions.load_balancing_policies.random.v3.Random", kHonoured, "locality_lb_config",
     ""},
    {kLeastRequest, kHonoured,
     "choice_count active_request_bias enable_full_scan selection_method locality_lb_config "
     "slow_start_config",
     ""},
    {kLocalityLb, kHonoured, "locality_weighted_lb_config", ""},
    {kLocalityLb, kNotYet, "zone_aware_lb_config", kZones},
    {"envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig.LocalityWeightedLbConfig",
     kHonoured, "*", ""},
    {kRingHash, kHonoured,
     "hash_function minimum_ring_size maximum_ring_size use_hostname_for_hashing "
     "consistent_hashing_lb_config locality_weighted_lb_config",
     ""},
    {kRingHash, kNotYet, "hash_balance_factor", kBoundedLoad},
    {"envoy.extensions.load_balancing_policies.maglev.v3.Maglev", kHonoured,
     "table_size consistent_hashing_lb_config locality_weighted_lb_config", ""},
    {kHashingLb, kHonoured, "use_hostname_for_hashing", ""},
    {kHashingLb, kNotYet, "hash_balance_factor", kBoundedLoad},
    {kHashingLb, kIgnored, "hash_policy", kHttp},
    {kDns, kHonoured,
     "dns_refresh_rate dns_failure_refresh_rate respect_dns_ttl dns_jitter dns_lookup_family "
     "all_addresses_in_single_endpoint dns_min_refresh_rate",
     ""},
    {kDns, kIgnored, "typed_dns_resolver_config", kResolver},
    {"envoy.extensions.clusters.dns.v3.DnsCluster.RefreshRate", kHonoured, "*", ""},
    {kAssignment, kHonoured, "cluster_name endpoints policy", ""},
    {kAssignment, kRefused, "named_endpoints", "endpoints are written where they are used"},
    {kAssignmentPolicy, kHonoured, "overprovisioning_factor weighted_priority_health", ""},
    {kAssignmentPolicy, kIgnored, "drop_overloads endpoint_stale_after",
     "they are instructions of a control plane"},
    {kLocality, kHonoured, "locality metadata lb_endpoints load_balancing_weight priority", ""},
    {kLocality, kIgnored, "proximity", "Envoy does not use it either"},
    {kLocality, kRefused, "load_balancer_endpoints leds_cluster_locality_config",
     "endpoints stand in lb_endpoints"},
    {kLbEndpoint, kHonoured, "endpoint health_status metadata load_balancing_weight", ""},
    {kLbEndpoint, kRefused, "endpoint_name", "endpoints are written where they are used"},
    {kEndpoint, kHonoured, "address additional_addresses hostname health_check_config", ""},
    {"envoy.config.endpoint.v3.Endpoint.AdditionalAddress", kHonoured, "*", ""},
    {"envoy.config.endpoint.v3.Endpoint.HealthCheckConfig", kHonoured, "*", ""},
    {kEndpoint, kIgnored, "observability_name", "the address names the host"},
};

} // namespace

absl::Span<const FieldSupport> clusterFields() { return kClusterFields; }

} // namespace culvert::config
