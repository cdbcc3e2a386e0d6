// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/health_proto.h"

#include "envoy/config/cluster/v3/outlier_detection.pb.h"
#include "envoy/config/core/v3/health_check.pb.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "source/upstream/outlier_proto.h"

namespace culvert::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

absl::StatusOr<HealthCheckConfig> tryHealth(const std::string& text) {
  envoy::config::core::v3::HealthCheck proto;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "timeout { seconds: 1 } interval { seconds: 5 } unhealthy_threshold { value: 2 } "
      "healthy_threshold { value: 3 } " +
          text,
      &proto));
  return parseHealthCheck(proto);
}

HealthCheckConfig health(const std::string& text) {
  absl::StatusOr<HealthCheckConfig> config = tryHealth(text);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *std::move(config) : HealthCheckConfig();
}

std::string healthError(const std::string& text) {
  return std::string(tryHealth(text).status().message());
}

absl::StatusOr<OutlierConfig> outlier(const std::string& text) {
  envoy::config::cluster::v3::OutlierDetection proto;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &proto));
  return parseOutlier(proto);
}

TEST(HealthProto, IntervalsFollowOneAnother) {
  const HealthCheckConfig config = health("tcp_health_check {}");
  EXPECT_EQ(config.timeout, seconds(1));
  EXPECT_EQ(config.unhealthy_threshold, 2u);
  EXPECT_EQ(config.healthy_threshold, 3u);
  EXPECT_EQ(config.no_traffic_interval, seconds(60));
  EXPECT_EQ(config.no_traffic_healthy_interval, seconds(60));
  EXPECT_EQ(config.unhealthy_edge_interval, seconds(5));
  EXPECT_EQ(config.healthy_edge_interval, seconds(5));
  EXPECT_TRUE(config.reuse_connection);
  const HealthCheckConfig other = health("tcp_health_check {} no_traffic_interval { seconds: 9 } "
                                         "unhealthy_interval { nanos: 500000000 }");
  EXPECT_EQ(other.no_traffic_healthy_interval, seconds(9));
  EXPECT_EQ(other.unhealthy_edge_interval, milliseconds(500));
  EXPECT_EQ(other.healthy_edge_interval, seconds(5));
}

TEST(HealthProto, PayloadsAreHexOrBytes) {
  const HealthCheckConfig config = health("tcp_health_check { send { text: '50494E47' } "
                                          "receive { binary: 'ab' } receive { text: '63' } }");
  EXPECT_EQ(config.protocol, HealthProtocol::kTcp);
  EXPECT_EQ(config.send, "PING");
  EXPECT_EQ(config.receive, (std::vector<std::string>{"ab", "c"}));
  EXPECT_EQ(healthError("tcp_health_check { send { text: 'PING' } }"),
            "tcp_health_check.send.text: invalid hex string 'PING'");
  EXPECT_EQ(healthError("tcp_health_check { receive { text: '63' } receive { text: '6' } }"),
            "tcp_health_check.receive[1].text: invalid hex string '6'");
}

TEST(HealthProto, HttpExpects200UnlessToldOtherwise) {
  const HealthCheckConfig config = health("http_health_check { path: '/' }");
  EXPECT_EQ(config.protocol, HealthProtocol::kHttp);
  EXPECT_EQ(config.http.method, "GET");
  EXPECT_FALSE(config.http.http2);
  ASSERT_EQ(config.http.expected.size(), 1u);
  EXPECT_EQ(config.http.expected[0].start, 200u);
  EXPECT_EQ(config.http.expected[0].end, 201u);
  EXPECT_TRUE(health("http_health_check { path: '/' codec_client_type: HTTP2 }").http.http2);
}

TEST(HealthProto, StatusesHaveThreeDigits) {
  EXPECT_EQ(healthError("http_health_check { expected_statuses { start: 300 end: 300 } }"),
            "http_health_check.expected_statuses[0]: Invalid http expected status range: "
            "expecting start < end, but found start=300 and end=300");
  EXPECT_EQ(healthError("http_health_check { retriable_statuses { start: 99 end: 300 } }"),
            "http_health_check.retriable_statuses[0].start: Invalid http retriable status range: "
            "expecting start >= 100, but found start=99");
  EXPECT_EQ(healthError("http_health_check { expected_statuses { start: 200 end: 601 } }"),
            "http_health_check.expected_statuses[0].end: Invalid http expected status range: "
            "expecting end <= 600, but found end=601");
}

TEST(HealthProto, HeadersAreChangedAsEnvoyWould) {
  const auto headers = [](const std::string& fields) {
    return health("http_health_check { path: '/' " + fields + "}").http.headers;
  };
  const auto add = [](const std::string& key, const std::string& value,
                      const std::string& more = "") {
    return "request_headers_to_add { header { key: '" + key + "' value: '" + value + "' } " + more +
           "} ";
  };
  const std::pair<std::string, std::string> agent("user-agent", "Envoy/HC");
  EXPECT_EQ(headers(add("X-One", "1") + add("x-one", "2")),
            (HealthHeaders{agent, {"x-one", "1"}, {"x-one", "2"}}));
  EXPECT_EQ(headers(add("user-agent", "me")), (HealthHeaders{{"user-agent", "Envoy/HC,me"}}));
  EXPECT_EQ(headers(add("user-agent", "me", "append_action: OVERWRITE_IF_EXISTS_OR_ADD") +
                    add("x", "") + add("y", "%%a")),
            (HealthHeaders{{"user-agent", "me"}, {"y", "%a"}}));
  EXPECT_EQ(headers("request_headers_to_remove: 'User-Agent' "), HealthHeaders());
  EXPECT_EQ(headers(add("x", "1", "append { value: false }") +
                    add("x", "2", "append_action: ADD_IF_ABSENT") +
                    add("z", "2", "append_action: OVERWRITE_IF_EXISTS")),
            (HealthHeaders{agent, {"x", "1"}, {"x", "2"}}));
}

TEST(HealthProto, SomeHeadersAreNotToBeChanged) {
  EXPECT_EQ(healthError("http_health_check { request_headers_to_add { header { key: 'Host' } } }"),
            "http_health_check.request_headers_to_add[0].header.key: :-prefixed or host headers "
            "may not be modified");
  EXPECT_EQ(healthError("http_health_check { request_headers_to_remove: ':path' }"),
            "http_health_check.request_headers_to_remove[0]: :-prefixed or host headers may not "
            "be removed");
  EXPECT_EQ(
      healthError("grpc_health_check { initial_metadata { header { key: 'x' value: '%A%' } } }"),
      "grpc_health_check.initial_metadata[0].header.value: not supported by Culvert yet: "
      "commands in health checks");
}

TEST(HealthProto, GrpcAsksForAService) {
  const HealthCheckConfig config =
      health("grpc_health_check { service_name: 'a.b' authority: 'me' }");
  EXPECT_EQ(config.protocol, HealthProtocol::kGrpc);
  EXPECT_EQ(config.grpc.service, "a.b");
  EXPECT_EQ(config.grpc.authority, "me");
}

TEST(OutlierProto, HasEnvoysDefaults) {
  const absl::StatusOr<OutlierConfig> config = outlier("");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->consecutive_5xx, 5u);
  EXPECT_EQ(config->max_ejection_percent, 10u);
  EXPECT_EQ(config->enforcing_consecutive_gateway_failure, 0u);
  EXPECT_TRUE(config->passed_check_unejects);
}

TEST(OutlierProto, TheLongestEjectionIsNoShorterThanTheFirst) {
  EXPECT_EQ(outlier("base_ejection_time { seconds: 600 }")->max_ejection_time, seconds(600));
  EXPECT_EQ(outlier("base_ejection_time { seconds: 2 } max_ejection_time { seconds: 1 }")
                .status()
                .message(),
            "max_ejection_time: outlier detector's max_ejection_time cannot be smaller than "
            "base_ejection_time");
}

} // namespace
} // namespace culvert::upstream
