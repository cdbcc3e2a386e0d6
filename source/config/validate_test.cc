// SPDX-License-Identifier: Apache-2.0
#include "source/config/validate.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/filters/network/connection_limit/v3/connection_limit.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "google/protobuf/any.pb.h"
#include "gtest/gtest.h"

#include "source/config/loader.h"

namespace culvert::config {
namespace {

using envoy::config::bootstrap::v3::Bootstrap;
using envoy::config::cluster::v3::Cluster;
using envoy::extensions::filters::network::connection_limit::v3::ConnectionLimit;
using envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;

template <class T> Problems check(const std::string& yaml) {
  T message;
  Problems problems;
  loadText(yaml, Format::kYaml, "lab.yaml", message, problems);
  validate(message, "", problems);
  return problems;
}

template <class T> std::string errorsOf(const std::string& yaml) {
  return absl::StrJoin(check<T>(yaml).errorLines(), "\n");
}

// The sentences are those of the real binary.
struct Violation {
  std::string name, yaml, said;
};

class Violations : public testing::TestWithParam<Violation> {};

TEST_P(Violations, HavePathPlaceAndEnvoysSentence) {
  EXPECT_EQ(errorsOf<Bootstrap>(GetParam().yaml), GetParam().said);
}

const std::string kListener =
    "Envoy says: Proto constraint validation failed (BootstrapValidationError.StaticResources: "
    "embedded message failed validation | caused by StaticResourcesValidationError.Listeners[0]: "
    "embedded message failed validation | caused by ";
const std::string kCluster =
    "Envoy says: Proto constraint validation failed (BootstrapValidationError.StaticResources: "
    "embedded message failed validation | caused by StaticResourcesValidationError.Clusters[0]: "
    "embedded message failed validation | caused by ";

INSTANTIATE_TEST_SUITE_P(
    Bootstrap, Violations,
    testing::Values(
        Violation{
            "port_range",
            "static_resources: {listeners: [{name: l, address: {socket_address: {address: "
            "127.0.0.1, port_value: 99999}}}]}",
            "static_resources.listeners[0].address.socket_address.port_value (lab.yaml:1:89): "
            "99999 is refused: value must be less than or equal to 65535. " +
                kListener +
                "ListenerValidationError.Address: embedded message failed validation | caused by "
                "AddressValidationError.SocketAddress: embedded message failed validation | "
                "caused by SocketAddressValidationError.PortValue: value must be less than or "
                "equal to 65535)"},
        Violation{
            "port_missing",
            "static_resources: {listeners: [{name: l, address: {socket_address: {address: "
            "127.0.0.1}}}]}",
            "static_resources.listeners[0].address.socket_address (lab.yaml:1:52): one of "
            "port_value, named_port must be set. " +
                kListener +
                "ListenerValidationError.Address: embedded message failed validation | caused by "
                "AddressValidationError.SocketAddress: embedded message failed validation | "
                "caused by field: \"port_specifier\", reason: is required)"},
        Violation{"zero_timeout", "static_resources: {clusters: [{name: c, connect_timeout: 0s}]}",
                  "static_resources.clusters[0].connect_timeout (lab.yaml:1:41): 0s is refused: "
                  "value must be greater than 0s. " +
                      kCluster +
                      "ClusterValidationError.ConnectTimeout: value must be greater than 0s)"},
        Violation{"negative_timeout",
                  "static_resources: {clusters: [{name: c, connect_timeout: -5s}]}",
                  "static_resources.clusters[0].connect_timeout (lab.yaml:1:41): a duration can't "
                  "be negative. Envoy says: Invalid duration: Expected positive duration: seconds: "
                  "-5"},
        Violation{"endless_timeout",
                  "static_resources: {clusters: [{name: c, connect_timeout: 9223372036s}]}",
                  "static_resources.clusters[0].connect_timeout (lab.yaml:1:41): the duration is "
                  "too long: no more than 292 years fit. Envoy says: Invalid duration: Duration "
                  "out-of-range: seconds: 9223372036"},
        Violation{"enum_number", "static_resources: {clusters: [{name: c, lb_policy: 77}]}",
                  "static_resources.clusters[0].lb_policy (lab.yaml:1:41): 77 is refused: value "
                  "must be one of the defined enum values. " +
                      kCluster +
                      "ClusterValidationError.LbPolicy: value must be one of the defined enum "
                      "values)"},
        Violation{"percent",
                  "static_resources: {clusters: [{name: c, common_lb_config: "
                  "{healthy_panic_threshold: {value: 101}}}]}",
                  "static_resources.clusters[0].common_lb_config.healthy_panic_threshold.value "
                  "(lab.yaml:1:86): 101 is refused: value must be inside range [0, 100]. " +
                      kCluster +
                      "ClusterValidationError.CommonLbConfig: embedded message failed validation "
                      "| caused by CommonLbConfigValidationError.HealthyPanicThreshold: embedded "
                      "message failed validation | caused by PercentValidationError.Value: value "
                      "must be inside range [0, 100])"}),
    [](const auto& info) { return info.param.name; });

TEST(Validate, ReportsEveryViolation) {
  const Problems problems = check<Cluster>("health_checks: [{timeout: 1s, tcp_health_check: {}}]");
  std::vector<std::string> paths;
  for (const Problem& problem : problems.all()) {
    paths.push_back(problem.path);
  }
  EXPECT_EQ(absl::StrJoin(paths, " "),
            "name health_checks[0].interval health_checks[0].unhealthy_threshold "
            "health_checks[0].healthy_threshold");
}

TEST(Validate, UnpackedMessageIsTheOutermostInEnvoysSentence) {
  TcpProxy tcp;
  tcp.set_cluster("c");
  google::protobuf::Any any;
  any.PackFrom(tcp);
  Problems problems;
  EXPECT_FALSE(unpack(any, "filters[0].typed_config", tcp, problems));
  EXPECT_EQ(problems.errorLines().at(0),
            "filters[0].typed_config.stat_prefix: an empty value is refused: value length must be "
            "at least 1 "
            "characters. Envoy says: Proto constraint validation failed "
            "(TcpProxyValidationError.StatPrefix: value length must be at least 1 characters)");
}

TEST(Validate, UnpackRefusesAnotherType) {
  google::protobuf::Any any;
  any.PackFrom(Cluster());
  TcpProxy tcp;
  Problems problems;
  EXPECT_FALSE(unpack(any, "typed_config", tcp, problems));
  EXPECT_EQ(problems.all().at(0).path, "typed_config");
}

TEST(Validate, RequiredOneofNamesTheChoice) {
  EXPECT_EQ(errorsOf<TcpProxy>("stat_prefix: t"),
            "(lab.yaml): one of cluster, weighted_clusters must be set. Envoy says: Proto "
            "constraint validation failed (field: \"cluster_specifier\", reason: is required)");
}

TEST(Validate, RulesOfWrappersHoldOnlyWhereTheyAreSet) {
  EXPECT_EQ(errorsOf<ConnectionLimit>("stat_prefix: t"), "");
  EXPECT_EQ(errorsOf<ConnectionLimit>("{stat_prefix: t, max_connections: 0}"),
            "max_connections (lab.yaml:1:18): 0 is refused: value must be greater than or equal to "
            "1. Envoy says: Proto constraint validation failed "
            "(ConnectionLimitValidationError.MaxConnections: value must be greater than or equal "
            "to 1)");
}

TEST(Validate, NotANumberIsInNoRange) {
  EXPECT_TRUE(absl::StrContains(
      errorsOf<Cluster>("{name: c, common_lb_config: {healthy_panic_threshold: {value: NaN}}}"),
      "nan is refused: value must be a number"));
}

TEST(Validate, ListLengthsAreChecked) {
  EXPECT_NE(errorsOf<TcpProxy>("{stat_prefix: t, cluster: c, hash_policy: [{source_ip: {}}, "
                               "{source_ip: {}}]}")
                .find("(TcpProxyValidationError.HashPolicy: value must contain no more than 1 "
                      "item(s))"),
            std::string::npos);
}

TEST(Validate, MisspeltFieldIsNotCalledMissingToo) {
  EXPECT_EQ(check<TcpProxy>("{stat_prefx: t, cluster: c}").errors(), 1U);
  EXPECT_EQ(check<TcpProxy>("{stat_prefix: t, clutser: c}").errors(), 1U);
  EXPECT_EQ(check<TcpProxy>("{stat_prefix: 5, cluster: c}").errors(), 1U);
}

TEST(Deprecated, FieldsAndValuesAreWarnedOf) {
  Bootstrap bootstrap;
  Problems problems;
  loadText("static_resources: {clusters: [{name: c, dns_refresh_rate: 3s}]}", Format::kYaml,
           "lab.yaml", bootstrap, problems);
  warnOfDeprecated(bootstrap, "", problems);
  EXPECT_TRUE(problems.ok());
  EXPECT_EQ(problems.warningLines().at(0),
            "static_resources.clusters[0].dns_refresh_rate (lab.yaml:1:41): 'dns_refresh_rate' is "
            "deprecated. Envoy says: Deprecated field: type envoy.config.cluster.v3.Cluster Using "
            "deprecated option 'envoy.config.cluster.v3.Cluster.dns_refresh_rate' from file "
            "cluster.proto. This configuration will be removed from Envoy soon.");
}

} // namespace
} // namespace culvert::config
