// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/cluster_proto.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "absl/strings/str_cat.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/clusters/dns/v3/dns_cluster.pb.h"
#include "envoy/extensions/load_balancing_policies/least_request/v3/least_request.pb.h"
#include "envoy/extensions/load_balancing_policies/random/v3/random.pb.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "source/stats/store.h"
#include "source/upstream/balancing.h"
#include "source/upstream/factories.h"

namespace culvert::upstream {
namespace {

using envoy::config::cluster::v3::Cluster;

constexpr char kHost[] = R"pb(load_assignment {
                                endpoints {
                                  lb_endpoints {
                                    endpoint {
                                      address {
                                        socket_address { address: "127.0.0.1" port_value: 80 }
                                      }
                                    }
                                  }
                                }
                              })pb";
constexpr char kName[] = R"pb(load_assignment {
                                endpoints {
                                  lb_endpoints {
                                    endpoint {
                                      address {
                                        socket_address { address: "web.test" port_value: 80 }
                                      }
                                    }
                                  }
                                }
                              })pb";

class ClusterProtoTest : public testing::Test {
protected:
  ClusterProtoTest() { registerBuiltIn(registry); }

  absl::StatusOr<ClusterConfig> tryParse(const std::string& text) {
    Cluster proto;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString("name: 'c' " + text, &proto));
    return parseCluster(proto, {registry, default_bind, &store.root()});
  }
  ClusterConfig parse(const std::string& text) {
    absl::StatusOr<ClusterConfig> config = tryParse(text);
    EXPECT_TRUE(config.ok()) << config.status();
    return config.ok() ? *std::move(config) : ClusterConfig();
  }
  std::unique_ptr<BalancingPolicy> makePolicy(const ClusterConfig& config) {
    return config.make_policy(PolicyContext{1, store.root(), clock});
  }
  std::string error(const std::string& text) {
    return std::string(tryParse(text).status().message());
  }

  const base::SystemClock clock;
  stats::Store store{1, {}};
  registry::Registry registry;
  const envoy::config::core::v3::BindConfig* default_bind = nullptr;
};

TEST_F(ClusterProtoTest, HasEnvoysDefaults) {
  const ClusterConfig config = parse(kHost);
  EXPECT_EQ(config.name, "c");
  EXPECT_EQ(config.statName(), "c");
  EXPECT_EQ(config.kind, "STATIC");
  EXPECT_EQ(config.connect_timeout, std::chrono::seconds(5));
  EXPECT_EQ(config.per_connection_buffer_limit_bytes, 1048576u);
  EXPECT_EQ(config.breakers.normal.max_connections, 1024u);
  EXPECT_EQ(config.breakers.normal.max_retries, 3u);
  EXPECT_EQ(config.panic_threshold_percent, 50u);
  EXPECT_EQ(config.overprovisioning_percent, 140u);
  EXPECT_TRUE(config.wait_for_warm_on_init);
  EXPECT_EQ(config.endpoints[0].endpoints[0].address.toString(), "127.0.0.1:80");
  EXPECT_EQ(config.endpoints[0].endpoints[0].weight, 1u);
}

TEST_F(ClusterProtoTest, ReadsWhatIsSet) {
  const ClusterConfig config = parse(R"pb(
    alt_stat_name: "shop"
    connect_timeout { nanos: 250000000 }
    per_connection_buffer_limit_bytes { value: 4096 }
    wait_for_warm_on_init {}
    common_lb_config { healthy_panic_threshold { value: 0 } }
    load_assignment { policy { overprovisioning_factor { value: 100 } } }
  )pb");
  EXPECT_EQ(config.statName(), "shop");
  EXPECT_EQ(config.connect_timeout, std::chrono::milliseconds(250));
  EXPECT_EQ(config.per_connection_buffer_limit_bytes, 4096u);
  EXPECT_FALSE(config.wait_for_warm_on_init);
  EXPECT_EQ(config.panic_threshold_percent, 0u);
  EXPECT_EQ(config.overprovisioning_percent, 100u);
}

TEST_F(ClusterProtoTest, ReadsEndpointsByLocality) {
  const ClusterConfig config = parse(R"pb(
    load_assignment {
      endpoints {
        locality { region: "r" zone: "z" sub_zone: "s" }
        priority: 1
        load_balancing_weight { value: 7 }
        lb_endpoints {
          endpoint {
            hostname: "a.test"
            address { pipe { path: "/run/a.sock" } }
          }
          health_status: DRAINING
          load_balancing_weight { value: 3 }
          metadata {
            filter_metadata {
              key: "envoy.lb"
              value { fields { key: "canary" value { bool_value: true } } }
            }
          }
        }
      }
    })pb");
  const LocalityConfig& locality = config.endpoints[0];
  EXPECT_EQ(locality.locality, (Locality{"r", "z", "s"}));
  EXPECT_EQ(locality.priority, 1u);
  EXPECT_EQ(locality.weight, 7u);
  const EndpointConfig& endpoint = locality.endpoints[0];
  EXPECT_EQ(endpoint.address.toString(), "/run/a.sock");
  EXPECT_EQ(endpoint.hostname, "a.test");
  EXPECT_EQ(endpoint.health, EndpointHealth::kDraining);
  EXPECT_EQ(endpoint.weight, 3u);
  EXPECT_TRUE(endpoint.canary);
}

TEST_F(ClusterProtoTest, ReadsTheFirstBreakersOfEachPriority) {
  const ClusterConfig config = parse(R"pb(
    circuit_breakers {
      thresholds { priority: HIGH max_connections { value: 9 } }
      thresholds {
        max_connections { value: 1 }
        max_connection_pools { value: 4 }
        track_remaining: true
      }
      thresholds { max_connections { value: 5 } }
      per_host_thresholds { max_connections { value: 2 } }
    })pb");
  EXPECT_EQ(config.breakers.high.max_connections, 9u);
  EXPECT_EQ(config.breakers.normal.max_connections, 1u);
  EXPECT_EQ(config.breakers.normal.max_connection_pools, 4u);
  EXPECT_TRUE(config.breakers.normal.track_remaining);
  EXPECT_EQ(config.breakers.high.max_connection_pools, UINT64_MAX);
  EXPECT_EQ(config.breakers.per_host_max_connections, 2u);
}

TEST_F(ClusterProtoTest, ReadsHowSocketsAreMade) {
  const ClusterConfig config = parse(R"pb(
    upstream_bind_config {
      source_address { address: "127.0.0.9" port_value: 0 }
      freebind { value: true }
      socket_options { level: 1 name: 2 int_value: 3 }
    }
    upstream_connection_options { tcp_keepalive { keepalive_time { value: 60 } } }
  )pb");
  EXPECT_EQ(config.connect.source->toString(), "127.0.0.9:0");
  EXPECT_TRUE(config.connect.freebind);
  ASSERT_EQ(config.connect.options.size(), 3u); // SO_KEEPALIVE, TCP_KEEPIDLE and ours.
  EXPECT_EQ(config.connect.options[1].name, TCP_KEEPIDLE);
  EXPECT_EQ(config.connect.options[2].name, 2);
}

TEST_F(ClusterProtoTest, TakesTheBootstrapsBindConfigWithoutOneOfItsOwn) {
  envoy::config::core::v3::BindConfig bind;
  bind.mutable_source_address()->set_address("127.0.0.8");
  default_bind = &bind;
  EXPECT_EQ(parse(kHost).connect.source->toString(), "127.0.0.8:0");
  EXPECT_FALSE(parse("upstream_bind_config {}").connect.source.has_value());
}

TEST_F(ClusterProtoTest, ATypedPolicyWinsOverLbPolicy) {
  Cluster proto;
  proto.set_name("c");
  proto.set_lb_policy(Cluster::RING_HASH);
  auto& policies = *proto.mutable_load_balancing_policy()->mutable_policies();
  policies.Add()->mutable_typed_extension_config()->mutable_typed_config()->PackFrom(Cluster());
  policies.Add()->mutable_typed_extension_config()->mutable_typed_config()->PackFrom(
      envoy::extensions::load_balancing_policies::random::v3::Random());
  const absl::StatusOr<ClusterConfig> config = parseCluster(proto, {registry});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_NE(makePolicy(*config), nullptr);
}

// Every way to say which policy, and how it is refused.
TEST_F(ClusterProtoTest, SaysWhichPoliciesItHas) {
  for (const char* policy : {"ROUND_ROBIN", "LEAST_REQUEST", "RANDOM", "RING_HASH", "MAGLEV"}) {
    EXPECT_NE(makePolicy(parse(std::string("lb_policy: ") + policy)), nullptr) << policy;
  }
  EXPECT_EQ(error("lb_policy: CLUSTER_PROVIDED"),
            "lb_policy: cluster manager: cluster provided LB specified but cluster 'c' did not "
            "provide one. Check cluster documentation.");
  EXPECT_EQ(error("lb_policy: LOAD_BALANCING_POLICY_CONFIG"),
            "load_balancing_policy: cluster: field load_balancing_policy need to be set");
  EXPECT_EQ(error("load_balancing_policy { policies { typed_extension_config { name: 'x' } } }"),
            "load_balancing_policy.policies: cluster: didn't find a registered load balancer "
            "factory implementation for cluster: 'c' with names from [x]");
}

TEST_F(ClusterProtoTest, AHostMayHaveSeveralAddresses) {
  const auto text = [](const std::string& type, const std::string& more) {
    return absl::StrCat(type,
                        " upstream_connection_options { happy_eyeballs_config { "
                        "first_address_family_version: V6 first_address_family_count { value: 2 } "
                        "} } load_assignment { endpoints { lb_endpoints { endpoint { address { "
                        "socket_address { address: '127.0.0.1' port_value: 80 } } "
                        "additional_addresses { address { socket_address { address: '",
                        more, "' port_value: 81 } } } } } } }");
  };
  const ClusterConfig config = parse(text("", "::1"));
  EXPECT_EQ(config.endpoints[0].endpoints[0].more_addresses[0].toString(), "[::1]:81");
  EXPECT_EQ(config.address_order.first, net::Address::Kind::kIpv6);
  EXPECT_EQ(config.address_order.first_count, 2u);
  const std::string at = "load_assignment.endpoints[0].lb_endpoints[0].endpoint.";
  EXPECT_EQ(error(text("", "web.test")),
            at + "additional_addresses[0].address.socket_address.address: malformed IP address: "
                 "web.test. Consider setting resolver_name or setting cluster type to 'STRICT_DNS' "
                 "or 'LOGICAL_DNS'");
  EXPECT_EQ(error(text("type: STRICT_DNS", "127.0.0.1")),
            at + "additional_addresses: not supported by Culvert: what DNS answers is all that a "
                 "name stands for");
}

TEST_F(ClusterProtoTest, AnOriginalDstClusterChoosesItself) {
  EXPECT_TRUE(parse("type: ORIGINAL_DST lb_policy: CLUSTER_PROVIDED").make_hosts);
  EXPECT_EQ(error("type: ORIGINAL_DST"),
            "lb_policy: cluster: LB policy ROUND_ROBIN is not valid for Cluster type ORIGINAL_DST. "
            "Only 'CLUSTER_PROVIDED' is allowed with cluster type 'ORIGINAL_DST'");
  const std::string custom =
      "cluster_type { name: 'envoy.clusters.original_dst' typed_config { [type.googleapis.com/"
      "envoy.extensions.clusters.original_dst.v3.OriginalDstCluster] {} } }";
  EXPECT_TRUE(parse(custom + "lb_policy: CLUSTER_PROVIDED").make_hosts);
  EXPECT_EQ(error(custom),
            "lb_policy: cluster: LB policy ROUND_ROBIN is not valid for Cluster type "
            "envoy.clusters.original_dst. Only 'CLUSTER_PROVIDED' is allowed with cluster type "
            "'ORIGINAL_DST'");
  EXPECT_EQ(error("type: ORIGINAL_DST lb_policy: CLUSTER_PROVIDED lb_subset_config {}"),
            "lb_subset_config: cluster: LB policy CLUSTER_PROVIDED cannot be combined with "
            "lb_subset_config");
  EXPECT_EQ(error(std::string("type: ORIGINAL_DST lb_policy: CLUSTER_PROVIDED ") + kHost),
            "load_assignment: ORIGINAL_DST clusters must have no load assignment configured");
}

TEST_F(ClusterProtoTest, AStaticHostMustBeAnAddress) {
  EXPECT_EQ(error(kName),
            "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address: "
            "malformed IP address: web.test. Consider setting resolver_name or setting cluster "
            "type to 'STRICT_DNS' or 'LOGICAL_DNS'");
  EXPECT_EQ(error("load_assignment { endpoints { lb_endpoints {} } }"),
            "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address: Address "
            "must be set. Consider setting resolver_name or setting cluster type to 'STRICT_DNS' "
            "or 'LOGICAL_DNS'");
}

TEST_F(ClusterProtoTest, ADnsClusterHasNames) {
  const ClusterConfig config = parse(std::string("type: STRICT_DNS ") + kName);
  EXPECT_EQ(config.kind, "STRICT_DNS");
  EXPECT_EQ(config.endpoints[0].endpoints[0].dns_name, "web.test");
  EXPECT_EQ(config.endpoints[0].endpoints[0].port, 80u);
  EXPECT_TRUE(config.make_hosts);
}

TEST_F(ClusterProtoTest, ALogicalDnsClusterHasOneName) {
  EXPECT_EQ(error("type: LOGICAL_DNS"),
            "load_assignment: LOGICAL_DNS clusters must have a single host");
  EXPECT_EQ(error("type: LOGICAL_DNS load_assignment { endpoints {} }"),
            "load_assignment.endpoints: LOGICAL_DNS clusters must have a single "
            "locality_lb_endpoint and a single lb_endpoint");
}

TEST_F(ClusterProtoTest, DnsFailuresMayNotBeAskedAgainFasterAndFaster) {
  EXPECT_EQ(error("type: STRICT_DNS dns_failure_refresh_rate { base_interval { seconds: 5 } "
                  "max_interval { seconds: 1 } }"),
            "dns_failure_refresh_rate.max_interval: dns_failure_refresh_rate must have "
            "max_interval greater than or equal to the base_interval");
}

TEST_F(ClusterProtoTest, ATransportMayRunOverAnother) {
  const auto internal = [](absl::string_view inner) {
    return absl::StrCat(
        "transport_socket { name: 'internal' typed_config {"
        "[type.googleapis.com/envoy.extensions.transport_sockets.internal_upstream.v3."
        "InternalUpstreamTransport] { transport_socket { name: '",
        inner, "' } } } }");
  };
  const ClusterConfig config = parse(internal("envoy.transport_sockets.raw_buffer"));
  EXPECT_NE(config.transport, nullptr);
  EXPECT_NE(store.findCounter("cluster.c.internal_upstream.no_metadata"), nullptr);
  EXPECT_EQ(error(internal("nope")),
            "transport_socket.typed_config.transport_socket: Didn't find a registered "
            "implementation for 'nope' with type URL: ''");
}

TEST_F(ClusterProtoTest, TlvsHaveAValue) {
  EXPECT_EQ(error("transport_socket { name: 'header' typed_config {"
                  "[type.googleapis.com/envoy.extensions.transport_sockets.proxy_protocol.v3."
                  "ProxyProtocolUpstreamTransport] { config { added_tlvs { type: 2 } } "
                  "transport_socket { name: 'envoy.transport_sockets.raw_buffer' } } } }"),
            "transport_socket.typed_config.config.added_tlvs[0]: Invalid TLV configuration: one of "
            "'value' or 'format_string' must be set.");
}

TEST_F(ClusterProtoTest, AClusterTypeIsFoundByItsMessageOrItsName) {
  Cluster proto;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      std::string("name: 'c' cluster_type { name: 'free text' } ") + kName, &proto));
  envoy::extensions::clusters::dns::v3::DnsCluster dns;
  dns.set_all_addresses_in_single_endpoint(true);
  proto.mutable_cluster_type()->mutable_typed_config()->PackFrom(dns);
  EXPECT_TRUE(parseCluster(proto, {registry}).ok());
  EXPECT_EQ(parse("cluster_type { name: 'envoy.cluster.static' }").kind, "envoy.cluster.static");
  EXPECT_EQ(error("cluster_type { name: 'nope' }"),
            "cluster_type: Didn't find a registered cluster factory implementation for name: "
            "'nope'");
  EXPECT_EQ(error("type: EDS"),
            "eds_cluster_config.eds_config: cannot create an EDS cluster without an EDS config");
}

TEST_F(ClusterProtoTest, AGrpcCheckNeedsHttp2) {
  const std::string check = std::string(kHost) + "health_checks { grpc_health_check {} } ";
  EXPECT_EQ(error(check), "health_checks[0].grpc_health_check: c cluster must support HTTP/2 for "
                          "gRPC healthchecking");
  parse(check + "http2_protocol_options {}");
  parse(check + R"pb(typed_extension_protocol_options {
                       key: "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
                       value {
                         [type.googleapis.com/
                          envoy.extensions.upstreams.http.v3.HttpProtocolOptions] {
                           explicit_http_config { http2_protocol_options {} }
                         }
                       }
                     })pb");
}

TEST_F(ClusterProtoTest, ConnectionsAreMadeAheadOnlyIfAsked) {
  EXPECT_FALSE(parse(kHost).preconnect.any());
  const PreconnectConfig some =
      parse(std::string(kHost) + "preconnect_policy { per_upstream_preconnect_ratio { value: 1.5 } "
                                 "predictive_preconnect_ratio { value: 2 } }")
          .preconnect;
  EXPECT_EQ(some.per_host_ratio, 1.5);
  EXPECT_EQ(some.cluster_ratio, 2);
}

TEST_F(ClusterProtoTest, TakesHowLongUnusedConnectionsStay) {
  const std::string name = "envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions";
  const auto with = [&](const std::string& type, const std::string& text) {
    return std::string(kHost) + "typed_extension_protocol_options { key: '" + name +
           "' value { [type.googleapis.com/" + type + "] { " + text + " } } } ";
  };
  EXPECT_EQ(parse(kHost).spare_idle_timeout, std::chrono::minutes(10));
  EXPECT_EQ(parse(with(name, "idle_timeout { seconds: 3 }")).spare_idle_timeout,
            std::chrono::seconds(3));
  EXPECT_EQ(parse(with(name, "idle_timeout {}")).spare_idle_timeout, base::Duration::zero());
  EXPECT_EQ(error(with("envoy.config.cluster.v3.Cluster", "")),
            "typed_extension_protocol_options[" + name + "]: holds another message");
}

std::string httpOptions(const std::string& text) {
  return std::string(kHost) +
         "typed_extension_protocol_options { "
         "key: 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions' value { "
         "[type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions] { " +
         text + " } } } ";
}

TEST_F(ClusterProtoTest, TunnelsAreAskedForOverHttp1UnlessTold) {
  EXPECT_FALSE(parse(kHost).http.http2);
  EXPECT_FALSE(parse(httpOptions("explicit_http_config { http_protocol_options {} }")).http.http2);
  EXPECT_TRUE(parse(httpOptions("explicit_http_config { http2_protocol_options {} }")).http.http2);
  EXPECT_EQ(parse(kHost).http.idle_timeout, std::chrono::hours(1));
}

TEST_F(ClusterProtoTest, TakesWhatIsSaidOfHttp2) {
  const HttpConfig http =
      parse(httpOptions("explicit_http_config { http2_protocol_options { allow_connect: true "
                        "max_concurrent_streams { value: 7 } "
                        "initial_stream_window_size { value: 70000 } "
                        "initial_connection_window_size { value: 80000 } "
                        "connection_keepalive { interval { seconds: 9 } timeout { seconds: 3 } } "
                        "override_stream_error_on_invalid_http_message { value: true } "
                        "} } common_http_protocol_options { idle_timeout { seconds: 0 } "
                        "max_connection_duration { seconds: 5 } "
                        "max_requests_per_connection { value: 4 } "
                        "max_headers_count { value: 6 } }"))
          .http;
  EXPECT_TRUE(http.http2_options.allow_connect);
  EXPECT_EQ(http.http2_options.max_concurrent_streams, 7u);
  EXPECT_EQ(http.http2_options.stream_window_bytes, 70000u);
  EXPECT_EQ(http.http2_options.connection_window_bytes, 80000u);
  EXPECT_EQ(http.http2_options.keepalive_interval, std::chrono::seconds(9));
  EXPECT_EQ(http.http2_options.keepalive_timeout, std::chrono::seconds(3));
  EXPECT_TRUE(http.http2_options.bad_messages_end_streams);
  EXPECT_EQ(http.http2_options.header_count_max, 6u);
  EXPECT_EQ(http.idle_timeout, std::chrono::seconds(0));
  EXPECT_EQ(http.max_connection_duration, std::chrono::seconds(5));
  EXPECT_EQ(http.max_requests_per_connection, 4u);
}

std::string customSettings(const std::string& more) {
  return "http2_protocol_options { " + more + " } ";
}

std::string setting(uint32_t id, uint32_t value) {
  return absl::StrCat("custom_settings_parameters { identifier { value: ", id,
                      " } value { value: ", value, " } } ");
}

TEST_F(ClusterProtoTest, TakesSettingsOfAnyNumber) {
  const hbone::Http2Options options =
      parse(kHost + customSettings(setting(2, 0) + setting(3, 9) + setting(4, 70000) +
                                   setting(5, 1 << 20) + setting(77, 1)))
          .http.http2_options;
  EXPECT_EQ(options.max_concurrent_streams, 9u);
  EXPECT_EQ(options.stream_window_bytes, 70000u);
  ASSERT_EQ(options.more_settings.size(), 2u);
  EXPECT_EQ(options.more_settings[0].value, 1u << 20);
  EXPECT_EQ(options.more_settings[1].id, 77u);
}

TEST_F(ClusterProtoTest, RefusesSettingsThatHttp2DoesNotAllow) {
  const auto refusal = [this](const std::string& settings) {
    return error(customSettings(settings));
  };
  const std::string first = "http2_protocol_options.custom_settings_parameters[0]: ";
  EXPECT_EQ(refusal(setting(5, 16383)), first + "value must be inside range [16384, 16777215]");
  EXPECT_EQ(refusal(setting(4, 1u << 31)), first + "value must be inside range [0, 2147483647]");
  EXPECT_EQ(refusal(setting(9, 2)), first + "value must be inside range [0, 1]");
  EXPECT_EQ(refusal(setting(2, 1)), first + "server push is not supported by Envoy and can not be "
                                            "enabled via a SETTINGS parameter.");
  EXPECT_EQ(refusal(setting(8, 1)), first + "the \"allow_connect\" SETTINGS parameter must only be "
                                            "configured through the named field");
  EXPECT_EQ(refusal(setting(3, 1) + "max_concurrent_streams { value: 1 }"),
            first + "the {max_concurrent_streams} HTTP/2 SETTINGS parameter(s) can not be "
                    "configured through both named and custom parameters");
  EXPECT_EQ(refusal(setting(5, 20000) + setting(5, 30000)),
            "http2_protocol_options.custom_settings_parameters[1]: inconsistent HTTP/2 custom "
            "SETTINGS parameter(s) detected; identifiers = {0x05}");
}

TEST_F(ClusterProtoTest, OptionsOfTheExtensionReplaceTheOlderFields) {
  const std::string older = "http2_protocol_options {} max_requests_per_connection { value: 3 } ";
  EXPECT_TRUE(parse(kHost + older).http.http2);
  EXPECT_EQ(parse(kHost + older).http.max_requests_per_connection, 3u);
  const HttpConfig http =
      parse(httpOptions("explicit_http_config { http_protocol_options {} }") + older).http;
  EXPECT_FALSE(http.http2);
  EXPECT_EQ(http.max_requests_per_connection, 0u);
}

TEST_F(ClusterProtoTest, OneCheckOfAHostIsEnough) {
  EXPECT_EQ(error(std::string(kHost) + "health_checks { tcp_health_check {} } "
                                       "health_checks { tcp_health_check {} }"),
            "health_checks[1]: not supported by Culvert yet: several checks of one host");
}

TEST_F(ClusterProtoTest, ATransportSocketIsFoundByName) {
  EXPECT_NE(parse("transport_socket { name: 'raw_buffer' }").transport, nullptr);
  EXPECT_EQ(
      error("transport_socket { name: 'tls' }"),
      "transport_socket: Didn't find a registered implementation for 'tls' with type URL: ''");
}

} // namespace
} // namespace culvert::upstream
