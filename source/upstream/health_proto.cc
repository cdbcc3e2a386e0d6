// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/health_proto.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "envoy/config/core/v3/health_check.pb.h"
#include "envoy/extensions/health_check/event_sinks/file/v3/file.pb.h"
#include "source/base/proto.h"
#include "source/upstream/endpoint_proto.h"
#include "source/upstream/health_headers.h"

namespace culvert::upstream {
namespace {

namespace core = envoy::config::core::v3;
using Ranges = google::protobuf::RepeatedPtrField<envoy::type::v3::Int64Range>;

// `fallback` where the message does not say.
base::Duration durationOr(bool has, const google::protobuf::Duration& proto,
                          base::Duration fallback) {
  return has ? base::toDuration(proto) : fallback;
}

void parseIntervals(const core::HealthCheck& proto, HealthCheckConfig& config) {
  config.timeout = base::toDuration(proto.timeout());
  config.interval = base::toDuration(proto.interval());
  config.initial_jitter = base::toDuration(proto.initial_jitter());
  config.interval_jitter = base::toDuration(proto.interval_jitter());
  config.interval_jitter_percent = proto.interval_jitter_percent();
  config.no_traffic_interval = durationOr(proto.has_no_traffic_interval(),
                                          proto.no_traffic_interval(), config.no_traffic_interval);
  config.no_traffic_healthy_interval =
      durationOr(proto.has_no_traffic_healthy_interval(), proto.no_traffic_healthy_interval(),
                 config.no_traffic_interval);
  config.unhealthy_interval =
      durationOr(proto.has_unhealthy_interval(), proto.unhealthy_interval(), config.interval);
  config.unhealthy_edge_interval =
      durationOr(proto.has_unhealthy_edge_interval(), proto.unhealthy_edge_interval(),
                 config.unhealthy_interval);
  config.healthy_edge_interval =
      durationOr(proto.has_healthy_edge_interval(), proto.healthy_edge_interval(), config.interval);
}

absl::StatusOr<std::string> parsePayload(const core::HealthCheck::Payload& proto) {
  if (proto.has_binary()) {
    return proto.binary();
  }
  const std::string& hex = proto.text();
  if (hex.size() % 2 != 0 || !std::all_of(hex.begin(), hex.end(), absl::ascii_isxdigit)) {
    return errorAt("text", absl::StrCat("invalid hex string '", hex, "'"));
  }
  return absl::HexStringToBytes(hex);
}

absl::Status parseTcp(const core::HealthCheck::TcpHealthCheck& proto, HealthCheckConfig& config) {
  const auto within = [](absl::string_view path, const absl::Status& status) {
    return absl::InvalidArgumentError(
        absl::StrCat("tcp_health_check.", path, ".", status.message()));
  };
  if (proto.has_send()) {
    absl::StatusOr<std::string> send = parsePayload(proto.send());
    if (!send.ok()) {
      return within("send", send.status());
    }
    config.send = *std::move(send);
  }
  for (int i = 0; i < proto.receive_size(); ++i) {
    absl::StatusOr<std::string> receive = parsePayload(proto.receive(i));
    if (!receive.ok()) {
      return within(absl::StrCat("receive[", i, "]"), receive.status());
    }
    config.receive.push_back(*std::move(receive));
  }
  return absl::OkStatus();
}

// `what` is how Envoy's sentences call the ranges.
absl::Status parseRanges(const Ranges& protos, absl::string_view field, absl::string_view what,
                         std::vector<StatusRange>& ranges) {
  for (int i = 0; i < protos.size(); ++i) {
    const auto& proto = protos.Get(i);
    const std::string path = absl::StrCat("http_health_check.", field, "[", i, "]");
    if (proto.start() >= proto.end()) {
      return errorAt(path, absl::StrCat("Invalid http ", what,
                                        " status range: expecting start < end, but found start=",
                                        proto.start(), " and end=", proto.end()));
    }
    if (proto.start() < 100) {
      return errorAt(
          absl::StrCat(path, ".start"),
          absl::StrCat("Invalid http ", what,
                       " status range: expecting start >= 100, but found start=", proto.start()));
    }
    if (proto.end() > 600) {
      return errorAt(
          absl::StrCat(path, ".end"),
          absl::StrCat("Invalid http ", what,
                       " status range: expecting end <= 600, but found end=", proto.end()));
    }
    ranges.push_back({static_cast<uint32_t>(proto.start()), static_cast<uint32_t>(proto.end())});
  }
  return absl::OkStatus();
}

absl::Status parseHttp(const core::HealthCheck::HttpHealthCheck& proto, HttpCheckConfig& config) {
  if (proto.method() != core::METHOD_UNSPECIFIED) {
    config.method = core::RequestMethod_Name(proto.method());
  }
  config.http2 = proto.codec_client_type() == envoy::type::v3::HTTP2;
  config.path = proto.path();
  config.host = proto.host();
  if (!proto.expected_statuses().empty()) {
    config.expected.clear();
  }
  absl::Status status =
      removeHeaders(proto.request_headers_to_remove(),
                    "http_health_check.request_headers_to_remove", config.headers);
  status.Update(addHeaders(proto.request_headers_to_add(),
                           "http_health_check.request_headers_to_add", config.headers));
  status.Update(
      parseRanges(proto.expected_statuses(), "expected_statuses", "expected", config.expected));
  status.Update(
      parseRanges(proto.retriable_statuses(), "retriable_statuses", "retriable", config.retriable));
  return status;
}

absl::Status parseEventLogs(const core::HealthCheck& proto, HealthCheckConfig& config) {
  if (!proto.event_log_path().empty()) {
    config.event_logs.push_back(proto.event_log_path());
  }
  for (int i = 0; i < proto.event_logger_size(); ++i) {
    envoy::extensions::health_check::event_sinks::file::v3::HealthCheckEventFileSink sink;
    if (!proto.event_logger(i).typed_config().UnpackTo(&sink)) {
      return errorAt(absl::StrCat("event_logger[", i, "].typed_config"),
                     "this is no sink for files, the only kind there is");
    }
    config.event_logs.push_back(sink.event_log_path());
  }
  return absl::OkStatus();
}

} // namespace

absl::StatusOr<HealthCheckConfig> parseHealthCheck(const core::HealthCheck& proto) {
  HealthCheckConfig config;
  parseIntervals(proto, config);
  config.unhealthy_threshold = proto.unhealthy_threshold().value();
  config.healthy_threshold = proto.healthy_threshold().value();
  config.reuse_connection = !proto.has_reuse_connection() || proto.reuse_connection().value();
  config.alt_port = static_cast<uint16_t>(proto.alt_port().value());
  config.always_log_failures = proto.always_log_health_check_failures();
  config.always_log_success = proto.always_log_health_check_success();
  absl::Status status;
  if (proto.has_http_health_check()) {
    config.protocol = HealthProtocol::kHttp;
    status = parseHttp(proto.http_health_check(), config.http);
  } else if (proto.has_grpc_health_check()) {
    config.protocol = HealthProtocol::kGrpc;
    config.grpc.service = proto.grpc_health_check().service_name();
    config.grpc.authority = proto.grpc_health_check().authority();
    status = addHeaders(proto.grpc_health_check().initial_metadata(),
                        "grpc_health_check.initial_metadata", config.grpc.headers);
  } else {
    status = parseTcp(proto.tcp_health_check(), config);
  }
  status.Update(parseEventLogs(proto, config));
  if (!status.ok()) {
    return status;
  }
  return config;
}

} // namespace culvert::upstream
