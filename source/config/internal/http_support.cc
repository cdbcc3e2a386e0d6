// SPDX-License-Identifier: Apache-2.0
#include "source/config/internal/support_rows.h"

namespace culvert::config {
namespace {

using namespace support_rows;

constexpr absl::string_view kManager =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
constexpr absl::string_view kUpgrade =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager."
    "UpgradeConfig";
constexpr absl::string_view kFilter =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter";
constexpr absl::string_view kRouter = "envoy.extensions.filters.http.router.v3.Router";
constexpr absl::string_view kState = "envoy.extensions.filters.http.set_filter_state.v3.Config";
constexpr absl::string_view kRoutes = "envoy.config.route.v3.RouteConfiguration";
constexpr absl::string_view kHost = "envoy.config.route.v3.VirtualHost";
constexpr absl::string_view kRoute = "envoy.config.route.v3.Route";
constexpr absl::string_view kMatch = "envoy.config.route.v3.RouteMatch";
constexpr absl::string_view kAction = "envoy.config.route.v3.RouteAction";
constexpr absl::string_view kRouteUpgrade = "envoy.config.route.v3.RouteAction.UpgradeConfig";
constexpr absl::string_view kConnectConfig =
    "envoy.config.route.v3.RouteAction.UpgradeConfig.ConnectConfig";
constexpr absl::string_view kDirect = "envoy.config.route.v3.DirectResponseAction";

constexpr absl::string_view kNotSentOn = "a tunnel's request is not sent on";
constexpr absl::string_view kNoPath = "a CONNECT has no path";
constexpr absl::string_view kOnlyConnect = "only CONNECT is served";
constexpr absl::string_view kOfRequests = "requests are only taken as tunnels";
constexpr absl::string_view kTraces = "there is no tracing";
constexpr absl::string_view kInline = "routes are written in route_config";

constexpr FieldSupport kFields[] = {
    {kManager, kHonoured,
     "codec_type stat_prefix route_config http_filters common_http_protocol_options "
     "http2_protocol_options server_name server_header_transformation max_request_headers_kb "
     "stream_idle_timeout drain_timeout access_log upgrade_configs "
     "stream_error_on_invalid_http_message",
     ""},
    {kManager, kIgnored,
     "add_user_agent skip_xff_append via generate_request_id preserve_external_request_id "
     "forward_client_cert_details set_current_client_cert_details proxy_100_continue "
     "represent_ipv4_remote_address_as_ipv4_mapped_ipv6 append_x_forwarded_port "
     "add_proxy_protocol_connection_state scheme_header_transformation use_remote_address "
     "internal_address_config",
     kNotSentOn},
    {kManager, kIgnored,
     "normalize_path merge_slashes path_with_escaped_slashes_action path_normalization_options",
     kNoPath},
    {kManager, kIgnored, "tracing", kTraces},
    {kManager, kIgnored, "delayed_close_timeout http1_safe_max_connection_duration",
     "a connection is closed as soon as all was said"},
    {kManager, kIgnored,
     "http_protocol_options http3_protocol_options record_route_resolution_stats", kOnlyConnect},
    {kManager, kRefused, "rds scoped_routes", kInline},
    {kManager, kRefused,
     "early_header_mutation_extensions original_ip_detection_extensions "
     "typed_header_validation_config request_id_extension",
     "there are no such extensions"},
    {kManager, kRefused, "xff_num_trusted_hops", "no header says who the client is"},
    {kUpgrade, kHonoured, "upgrade_type enabled", ""},
    {kUpgrade, kRefused, "filters", "upgrades have no filters of their own"},
    {kFilter, kHonoured, "name typed_config is_optional", ""},
    {kRouter, kHonoured, "suppress_envoy_headers", ""},
    {kRouter, kIgnored,
     "dynamic_stats start_child_span suppress_grpc_request_failure_code_stats "
     "respect_expected_rq_timeout",
     kNotSentOn},
    {kState, kHonoured, "on_request_headers", ""},
    {kState, kRefused, "clear_route_cache", "routes do not depend on filter state"},

    {kRoutes, kHonoured, "name virtual_hosts ignore_port_in_host_matching", ""},
    {kRoutes, kIgnored, "validate_clusters", "a cluster may come later; until then: 503"},
    {kRoutes, kIgnored, "metadata internal_only_headers max_direct_response_body_size_bytes",
     kNotSentOn},
    {kRoutes, kRefused, "vhds", kInline},
    {kHost, kHonoured, "name domains routes", ""},
    {kHost, kIgnored, "metadata include_request_attempt_count", kNotSentOn},
    {kRoute, kHonoured, "name match route direct_response", ""},
    {kRoute, kIgnored, "metadata decorator", kNotSentOn},
    {kMatch, kHonoured, "connect_matcher headers", ""},
    {kMatch, kIgnored, "case_sensitive", kNoPath},
    {kMatch, kRefused, "prefix path safe_regex path_separated_prefix path_match_policy",
     "only CONNECT is served, by connect_matcher"},
    {"envoy.config.route.v3.RouteMatch.ConnectMatcher", kHonoured, "*", ""},
    {"envoy.config.route.v3.HeaderMatcher", kHonoured, "*", ""},
    {kAction, kHonoured,
     "cluster timeout idle_timeout upgrade_configs cluster_not_found_response_code", ""},
    {kAction, kNotYet, "weighted_clusters metadata_match hash_policy",
     "routes to parts of clusters"},
    {kRouteUpgrade, kHonoured, "upgrade_type enabled connect_config", ""},
    {kConnectConfig, kRefused, "proxy_protocol_config",
     "set transport_socket of the cluster to proxy_protocol"},
    {kConnectConfig, kRefused, "allow_post", kOnlyConnect},
    {kDirect, kHonoured, "status body", ""},
    {kDirect, kRefused, "body_format", "the body is a text"},

    // The rest of what Envoy can do to requests.
    {kRoute, kRefused,
     "filter_action non_forwarding_action per_request_buffer_limit_bytes redirect "
     "request_body_buffer_limit request_headers_to_add request_headers_to_remove "
     "response_headers_to_add response_headers_to_remove route_specifiers stat_prefix "
     "tracing typed_per_filter_config",
     kOfRequests},
    {kAction, kRefused,
     "append_x_forwarded_host auto_host_rewrite cluster_header cluster_specifier_plugin "
     "cors early_data_policy flush_timeout grpc_timeout_offset hedge_policy host_rewrite "
     "host_rewrite_header host_rewrite_literal host_rewrite_path_regex "
     "include_vh_rate_limits inline_cluster_specifier_plugin internal_redirect_action "
     "internal_redirect_policy max_grpc_timeout max_internal_redirects max_stream_duration "
     "path_rewrite path_rewrite_policy prefix_rewrite priority rate_limits regex_rewrite "
     "request_mirror_policies retry_policy retry_policy_typed_config",
     kOfRequests},
    {kRoutes, kRefused,
     "cluster_specifier_plugins ignore_path_parameters_in_path_matching "
     "most_specific_header_mutations_wins request_headers_to_add request_headers_to_remove "
     "request_mirror_policies response_headers_to_add response_headers_to_remove "
     "route_specifiers typed_per_filter_config vhost_header",
     kOfRequests},
    {kMatch, kRefused,
     "cookies dynamic_metadata filter_state grpc query_parameters runtime_fraction "
     "tls_context",
     kOfRequests},
    {kHost, kRefused,
     "cors hedge_policy include_attempt_count_in_response include_is_timeout_retry_header "
     "matcher per_request_buffer_limit_bytes rate_limits request_body_buffer_limit "
     "request_headers_to_add request_headers_to_remove request_mirror_policies require_tls "
     "response_headers_to_add response_headers_to_remove retry_policy "
     "retry_policy_typed_config route_specifiers typed_per_filter_config virtual_clusters",
     kOfRequests},
    {kRouter, kRefused,
     "reject_connect_request_early_data strict_check_headers upstream_http_filters "
     "upstream_log upstream_log_options",
     kOfRequests},
    {kManager, kRefused,
     "access_log_flush_interval access_log_options always_set_request_id_in_response "
     "append_local_overload drain_timeout_jitter flush_access_log_on_new_request "
     "forward_client_cert_matcher forward_proto_config local_reply_config "
     "proxy_status_config request_headers_timeout request_timeout stream_flush_timeout "
     "strip_any_host_port strip_matching_host_port strip_trailing_host_dot",
     kOfRequests},
    {kFilter, kRefused, "config_discovery disabled", kOfRequests},
};

} // namespace

absl::Span<const FieldSupport> httpFields() { return kFields; }

} // namespace culvert::config
