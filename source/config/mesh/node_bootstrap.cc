// SPDX-License-Identifier: Apache-2.0
#include "source/config/mesh/node_bootstrap.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "source/base/json_text.h"
#include "source/net/socket.h"

namespace culvert::config::node {
namespace {

using Values = std::vector<std::pair<std::string, std::string>>;

constexpr char kTemplate[] = R"(# What `culvert node` runs.
admin:
  address: {socket_address: {address: 127.0.0.1, port_value: 15000}}
layered_runtime:
  layers: [{name: node, static_layer: {overload.global_downstream_max_connections: 4294967295}}]
bootstrap_extensions:
- name: envoy.bootstrap.internal_listener
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener
- name: culvert.bootstrap.mesh
  typed_config:
    "@type": type.googleapis.com/culvert.mesh.v1.Mesh
    workload: {namespace: @NAMESPACE@, name: @NAME@, service_account: @ACCOUNT@}
    node_name: @NODE@
    network: @NETWORK@
    local_file: @FILE@
    certificates: {lab_authority: {}, validity: @VALIDITY@, allow_tls12: @TLS12@,
                   post_quantum_only: @PQC@, crl_file: @CRL@}
    readiness_address: "@ANY@:15021"
    stats_address: "@ANY@:15020"
    socks5: @SOCKS5@
    listeners: {outbound: [@SENT@], inbound: [inbound_plain, inbound_hbone]}
    ipv4_lookups_only: @IPV4_LOOKUPS@
static_resources:
  listeners:
  - name: outbound
    stat_prefix: outbound
    address: {socket_address: {address: 0.0.0.0, port_value: 15001}}@ON_15001@@CAPTURE@
    listener_filters:
    - name: envoy.filters.listener.original_dst
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst
    access_log: [@LOG@]
    filter_chains:
    - filters: @OUTWARD@
  - name: to_gateways
    internal_listener: {}
    filter_chains:
    - filters: @TO_GATEWAY@
@SOCKS5_LISTENER@  - name: inbound_plain
    stat_prefix: inbound_plain
    address: {socket_address: {address: 0.0.0.0, port_value: 15006}}@ON_15006@@CAPTURE@
    listener_filters:
    - name: envoy.filters.listener.original_dst
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst
    access_log: [@LOG@]
    filter_chains:
    - filters: @INSIDE@
  - name: inbound_hbone
    stat_prefix: inbound_hbone
    address: {socket_address: {address: 0.0.0.0, port_value: 15008}}@ON_15008@
    access_log: [@LOG@]
    filter_chains:
    - transport_socket:
        name: culvert.transport_sockets.mesh
        typed_config: {"@type": type.googleapis.com/culvert.mesh.v1.MeshTls}
      filters:
      - name: culvert.filters.hbone_server
        typed_config:
          "@type": type.googleapis.com/culvert.filters.hbone_server.v1.HboneServer
          stat_prefix: inbound
          internal_listener: inbound_tunnels
          initial_stream_window_size: @STREAM_WINDOW@
          initial_connection_window_size: @CONNECTION_WINDOW@
          max_frame_size: @FRAME@
  - name: inbound_tunnels
    internal_listener: {}
    access_log: [@LOG@]
    filter_chains:
    - filters: @INSIDE@
  clusters:
  - name: tunnels
    type: ORIGINAL_DST
    lb_policy: CLUSTER_PROVIDED
    connect_timeout: 10s
    circuit_breakers: @NO_LIMITS@@KEEPALIVE_OUT@@MARK@
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        common_http_protocol_options: {idle_timeout: @TUNNEL_IDLE@}
        explicit_http_config:
          http2_protocol_options:
            max_concurrent_streams: @STREAMS@
            initial_stream_window_size: @STREAM_WINDOW@
            initial_connection_window_size: @CONNECTION_WINDOW@
            custom_settings_parameters: [{identifier: 5, value: @FRAME@}]
            connection_keepalive: {interval: 10s, timeout: 20s}
    transport_socket:
      name: culvert.transport_sockets.mesh
      typed_config: {"@type": type.googleapis.com/culvert.mesh.v1.MeshTls}
  - name: through_gateways
    connect_timeout: 20s
    circuit_breakers: @NO_LIMITS@
    load_assignment:
      cluster_name: through_gateways
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {envoy_internal_address: {server_listener_name: to_gateways}}}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        common_http_protocol_options: {max_requests_per_connection: 1}
        explicit_http_config:
          http2_protocol_options:
            initial_stream_window_size: @STREAM_WINDOW@
            initial_connection_window_size: @CONNECTION_WINDOW@
            custom_settings_parameters: [{identifier: 5, value: @FRAME@}]
            connection_keepalive: {interval: 10s, timeout: 20s}
    transport_socket:
      name: envoy.transport_sockets.internal_upstream
      typed_config:
        "@type": @TYPES@.internal_upstream.v3.InternalUpstreamTransport
        transport_socket:
          name: culvert.transport_sockets.mesh
          typed_config: {"@type": type.googleapis.com/culvert.mesh.v1.MeshTls}
  - name: plain
    type: ORIGINAL_DST
    lb_policy: CLUSTER_PROVIDED
    connect_timeout: 10s
    circuit_breakers: @NO_LIMITS@@KEEPALIVE_OUT@@MARK@
  - name: application
    type: ORIGINAL_DST
    lb_policy: CLUSTER_PROVIDED
    connect_timeout: 10s
    circuit_breakers: @NO_LIMITS@@KEEPALIVE_OUT@@MARK@
  - name: application_proxy
    type: ORIGINAL_DST
    lb_policy: CLUSTER_PROVIDED
    connect_timeout: 10s
    circuit_breakers: @NO_LIMITS@@KEEPALIVE_OUT@@MARK@
    transport_socket:
      name: envoy.transport_sockets.upstream_proxy_protocol
      typed_config:
        "@type": @TYPES@.proxy_protocol.v3.ProxyProtocolUpstreamTransport
        config: {version: V2, pass_through_tlvs: {match_type: INCLUDE_ALL}}
        transport_socket:
          name: envoy.transport_sockets.raw_buffer
          typed_config: {"@type": @TYPES@.raw_buffer.v3.RawBuffer}
)";

// What leads a connection to where it was meant to go. @MORE@: what only the inner one of two
// tunnels is asked with.
constexpr char kOutward[] = R"(
      - name: culvert.filters.hbone
        typed_config:
          "@type": type.googleapis.com/culvert.filters.hbone.v1.Hbone
          tunnel_cluster: tunnels
          plain_cluster: plain
          gateway_cluster: through_gateways
      - name: envoy.filters.network.tcp_proxy
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: @PREFIX@
          cluster: plain
          idle_timeout: 0s
          tunneling_config:
            hostname: "%FILTER_STATE(culvert.mesh:FIELD:authority)%"
            headers_to_add:
            - header: {key: baggage, value: "%FILTER_STATE(culvert.mesh:FIELD:baggage)%"}
            - header: {key: forwarded, value: "%FILTER_STATE(culvert.mesh:FIELD:forwarded)%"}
            - header:
                key: traceparent
                value: "%FILTER_STATE(culvert.mesh:FIELD:traceparent)%"@MORE@)";

constexpr char kForwardedNetwork[] = R"(
            - header:
                key: x-forwarded-network
                value: "%FILTER_STATE(culvert.mesh:FIELD:forwarded_network)%")";

constexpr char kSocks5Listener[] = R"(  - name: socks5
    stat_prefix: socks5
    address: {socket_address: {address: 127.0.0.1, port_value: 15080}}
    access_log: [@LOG@]
    filter_chains:
    - filters:
      - name: culvert.filters.socks5
        typed_config:
          "@type": type.googleapis.com/culvert.filters.socks5.v1.Socks5
          stat_prefix: outbound@OUTWARD@
)";

constexpr char kInside[] = R"(
      - name: culvert.filters.mesh_inbound
        typed_config:
          "@type": type.googleapis.com/culvert.filters.mesh_inbound.v1.MeshInbound
          keep_source_address: @KEEP_SOURCE@
          packet_mark: @PACKET_MARK@
          tell_baggage: @BAGGAGE@
          proxy_cluster: application_proxy
          proxy_to_own_address: @PROXY_TO_POD@
      - name: culvert.filters.mesh_rbac
        typed_config:
          "@type": type.googleapis.com/culvert.filters.mesh_rbac.v1.MeshRbac
          log_verdicts: @VERDICTS@
      - name: envoy.filters.network.tcp_proxy
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: inbound
          cluster: application
          idle_timeout: 0s)";

constexpr char kNoLimits[] = "{thresholds: [{max_connections: 4294967295, max_pending_requests: "
                             "4294967295, max_requests: 4294967295}]}";

std::string flag(bool set) { return set ? "true" : "false"; }

int64_t inSeconds(base::Duration duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

std::string durationOf(base::Duration duration) {
  const int64_t ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return absl::StrFormat("%d.%03ds", ms / 1000, ms % 1000);
}

std::string v6Of(const NodeEnvironment& environment, int port) {
  return environment.ipv6 ? absl::StrCat("\n    additional_addresses: [{address: {socket_address: "
                                         "{address: \"::\", port_value: ",
                                         port, "}}}]")
                          : "";
}

std::string keepaliveOf(const NodeEnvironment& environment) {
  return absl::StrCat("{keepalive_probes: ", environment.keepalive_retries,
                      ", keepalive_time: ", inSeconds(environment.keepalive_time),
                      ", keepalive_interval: ", inSeconds(environment.keepalive_interval), "}");
}

std::string optionOf(int level, int name, uint64_t value) {
  return absl::StrCat("{level: ", level, ", name: ", name, ", int_value: ", value,
                      ", state: STATE_PREBIND}");
}

std::string optionsOf(const NodeEnvironment& environment, bool upstream) {
  std::vector<std::string> options;
  if (environment.user_timeout) {
    const base::Duration longest =
        environment.keepalive_time + environment.keepalive_retries * environment.keepalive_interval;
    options.push_back(
        optionOf(IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<uint64_t>(inSeconds(longest)) * 1000));
  }
  if (upstream && environment.packet_mark != 0) {
    options.push_back(optionOf(SOL_SOCKET, SO_MARK, environment.packet_mark));
  }
  return absl::StrJoin(options, ", ");
}

// Whether this process may bind to the addresses of others.
bool mayKeepSource() {
  const net::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  return fd.valid() && ::setsockopt(fd.get(), SOL_IP, IP_TRANSPARENT, &on, sizeof(on)) == 0;
}

bool keepsSource(const NodeEnvironment& environment) {
  using SourceAddress = NodeEnvironment::SourceAddress;
  return environment.source_address == SourceAddress::kKept ||
         (environment.source_address == SourceAddress::kKeptIfPossible && mayKeepSource());
}

Values socketValues(const NodeEnvironment& environment, bool keeps_source) {
  const std::string in = optionsOf(environment, false);
  const std::string out = optionsOf(environment, true);
  const std::string keepalive = keepaliveOf(environment);
  const std::string transparent = keeps_source ? "\n    transparent: true" : "";
  return {
      {"@CAPTURE@",
       absl::StrCat(environment.keepalive ? absl::StrCat("\n    tcp_keepalive: ", keepalive) : "",
                    in.empty() ? "" : absl::StrCat("\n    socket_options: [", in, "]"))},
      {"@KEEPALIVE_OUT@",
       environment.keepalive
           ? absl::StrCat("\n    upstream_connection_options: {tcp_keepalive: ", keepalive, "}")
           : ""},
      {"@MARK@", out.empty()
                     ? ""
                     : absl::StrCat("\n    upstream_bind_config: {socket_options: [", out, "]}")},
      {"@ON_15001@", v6Of(environment, 15001) + transparent},
      {"@ON_15006@", v6Of(environment, 15006) + transparent},
      {"@ON_15008@", v6Of(environment, 15008) + transparent},
      {"@ANY@", environment.ipv6 ? "[::]" : "0.0.0.0"},
  };
}

} // namespace

std::string nodeBootstrap(const NodeEnvironment& environment) {
  const bool keeps_source = keepsSource(environment);
  Values values = socketValues(environment, keeps_source);
  const std::string inside =
      absl::StrReplaceAll(kInside, {{"@KEEP_SOURCE@", flag(keeps_source)},
                                    {"@PACKET_MARK@", absl::StrCat(environment.packet_mark)},
                                    {"@BAGGAGE@", flag(environment.tell_baggage)},
                                    {"@PROXY_TO_POD@", flag(!environment.proxy_to_loopback)},
                                    {"@VERDICTS@", flag(environment.log_verdicts)}});
  const std::string log =
      absl::StrCat("{name: culvert.access_loggers.mesh, typed_config: "
                   "{\"@type\": "
                   "type.googleapis.com/culvert.mesh.v1.MeshAccessLog, format: ",
                   environment.json_log ? "JSON" : "TEXT", "}}");
  const std::string outward =
      absl::StrReplaceAll(kOutward, {{"@PREFIX@", "outbound"}, {"@MORE@", kForwardedNetwork}});
  const std::string socks5 =
      environment.socks5
          ? absl::StrReplaceAll(kSocks5Listener, {{"@LOG@", log}, {"@OUTWARD@", outward}})
          : "";
  const Values more = {
      {"@OUTWARD@", outward},
      {"@TO_GATEWAY@",
       absl::StrReplaceAll(kOutward, {{"@PREFIX@", "to_gateways"}, {"@MORE@", ""}})},
      {"@INSIDE@", inside},
      {"@SOCKS5@", flag(environment.socks5)},
      {"@SOCKS5_LISTENER@", socks5},
      {"@SENT@", environment.socks5 ? "outbound, socks5" : "outbound"},
      {"@NO_LIMITS@", kNoLimits},
      {"@TYPES@", "type.googleapis.com/envoy.extensions.transport_sockets"},
      {"@LOG@", log},
      {"@NAMESPACE@", base::jsonString(environment.workload_namespace)},
      {"@NAME@", base::jsonString(environment.workload_name)},
      {"@ACCOUNT@", base::jsonString(environment.service_account)},
      {"@NODE@", base::jsonString(environment.node_name)},
      {"@NETWORK@", base::jsonString(environment.network)},
      {"@FILE@", base::jsonString(environment.local_file)},
      {"@CRL@", base::jsonString(environment.crl_file)},
      {"@VALIDITY@", durationOf(environment.certificate_validity)},
      {"@IPV4_LOOKUPS@", flag(!environment.ipv6)},
      {"@TLS12@", flag(environment.allow_tls12)},
      {"@PQC@", flag(environment.post_quantum_only)},
      {"@STREAM_WINDOW@", absl::StrCat(environment.stream_window_bytes)},
      {"@CONNECTION_WINDOW@", absl::StrCat(environment.connection_window_bytes)},
      {"@FRAME@", absl::StrCat(environment.frame_bytes_max)},
      {"@STREAMS@", absl::StrCat(environment.tunnel_streams_max)},
      {"@TUNNEL_IDLE@", durationOf(environment.tunnel_idle_time)},
  };
  values.insert(values.end(), more.begin(), more.end());
  return absl::StrReplaceAll(kTemplate, values);
}

Values nodeFlags(const NodeEnvironment& environment) {
  return {{"--concurrency", absl::StrCat(environment.workers)},
          {"--log-level", environment.log_level},
          {"--drain-time-s", absl::StrCat(inSeconds(environment.termination_deadline))}};
}

} // namespace culvert::config::node
