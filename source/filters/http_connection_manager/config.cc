// SPDX-License-Identifier: Apache-2.0
#include "source/filters/http_connection_manager/config.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/http/set_filter_state/v3/set_filter_state.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "source/base/field_error.h"
#include "source/base/proto.h"
#include "source/upstream/http2_options_proto.h"

namespace culvert::http_connection_manager {
namespace {

using envoy::extensions::filters::http::router::v3::Router;
using StateConfig = envoy::extensions::filters::http::set_filter_state::v3::Config;

// Its CONNECT may be allowed here or by the route, which must say what becomes of it anyway.
absl::Status checkUpgrades(const Config::Proto& proto) {
  for (int i = 0; i < proto.upgrade_configs_size(); i++) {
    const auto& upgrade = proto.upgrade_configs(i);
    const std::string path = absl::StrCat("upgrade_configs[", i, "]");
    if (!absl::EqualsIgnoreCase(upgrade.upgrade_type(), "CONNECT")) {
      return base::errorAt(path + ".upgrade_type", "only CONNECT is supported");
    }
    if (upgrade.has_enabled() && !upgrade.enabled().value()) {
      return base::errorAt(path + ".enabled", "there is nothing but CONNECT");
    }
  }
  return absl::OkStatus();
}

// Bounds that clusters know, but not who accepts.
absl::Status checkBounds(const Config::Proto& proto) {
  const auto& common = proto.common_http_protocol_options();
  const absl::string_view field = common.has_max_connection_duration() ? "max_connection_duration"
                                  : common.max_requests_per_connection().value() > 0
                                      ? "max_requests_per_connection"
                                  : common.has_max_stream_duration() ? "max_stream_duration"
                                                                     : "";
  return field.empty() ? absl::OkStatus()
                       : base::errorAt(absl::StrCat("common_http_protocol_options.", field),
                                       "not supported by Culvert yet");
}

} // namespace

absl::StatusOr<std::shared_ptr<const Config>> Config::create(const Proto& proto,
                                                             FactoryContext& context) {
  auto config = std::make_shared<Config>();
  config->scope_ = context.scope.scope(absl::StrCat("http.", proto.stat_prefix()));
  config->stats_ = std::make_unique<Stats>(*config->scope_);
  config->http2_scope_ = context.scope.scope("http2");
  config->http2_stats_ = std::make_unique<hbone::Http2Stats>(*config->http2_scope_);
  if (absl::Status status = checkUpgrades(proto); !status.ok()) {
    return status;
  }
  if (absl::Status status = checkBounds(proto); !status.ok()) {
    return status;
  }
  config->codec = proto.codec_type() == Proto::HTTP1   ? Codec::kHttp1
                  : proto.codec_type() == Proto::HTTP2 ? Codec::kHttp2
                                                       : Codec::kAuto;
  if (!proto.has_route_config()) {
    return base::errorAt("route_config", "is required");
  }
  auto routes = Routes::create(proto.route_config());
  if (!routes.ok()) {
    return base::errorWithin("route_config", routes.status());
  }
  config->routes = *std::move(routes);
  config->readTimes(proto);
  if (absl::Status status = config->readHttp2(proto); !status.ok()) {
    return status;
  }
  if (absl::Status status = config->readFilters(proto); !status.ok()) {
    return status;
  }
  auto loggers = access_log::create(proto.access_log(), context.access_log);
  if (!loggers.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("access_log", loggers.status().message()));
  }
  config->access_logs = *std::move(loggers);
  return config;
}

void Config::readTimes(const Proto& proto) {
  if (proto.has_stream_idle_timeout()) {
    stream_idle_timeout = base::toDuration(proto.stream_idle_timeout());
  }
  if (proto.common_http_protocol_options().has_idle_timeout()) {
    idle_timeout = base::toDuration(proto.common_http_protocol_options().idle_timeout());
  }
  if (proto.has_drain_timeout()) {
    drain_timeout = base::toDuration(proto.drain_timeout());
  }
  if (!proto.server_name().empty()) {
    server_name = proto.server_name();
  }
  if (proto.server_header_transformation() == Proto::PASS_THROUGH) {
    server_name.clear();
  }
}

absl::Status Config::readHttp2(const Proto& proto) {
  const auto& options = proto.http2_protocol_options();
  if (absl::Status status = upstream::readHttp2Options(options, http2); !status.ok()) {
    return base::errorWithin("http2_protocol_options", status);
  }
  if (proto.common_http_protocol_options().has_max_headers_count()) {
    http2.header_count_max = proto.common_http_protocol_options().max_headers_count().value();
  }
  if (proto.has_max_request_headers_kb()) {
    http2.header_bytes_max = proto.max_request_headers_kb().value() * 1024;
  }
  if (!options.has_override_stream_error_on_invalid_http_message()) {
    http2.bad_messages_end_streams |= proto.stream_error_on_invalid_http_message().value();
  }
  return absl::OkStatus();
}

// The last one is the router, and no other is.
absl::Status Config::readFilters(const Proto& proto) {
  const int count = proto.http_filters_size();
  for (int i = 0; i < count; i++) {
    const auto& filter = proto.http_filters(i);
    const bool router = filter.typed_config().Is<Router>();
    if (router != (i + 1 == count)) {
      return base::errorAt(absl::StrCat("http_filters[", i, "]"),
                           absl::StrCat("Error: ", router ? "terminal" : "non-terminal",
                                        " filter named ", filter.name(),
                                        router ? " must be the last filter in a http filter chain."
                                               : " is the last filter in a http filter chain."));
    }
    if (absl::Status status = readFilter(filter.typed_config()); !status.ok()) {
      return base::errorWithin(absl::StrCat("http_filters[", i, "].typed_config"), status);
    }
  }
  return count > 0 ? absl::OkStatus() : base::errorAt("http_filters", "the router is missing");
}

absl::Status Config::readFilter(const google::protobuf::Any& config) {
  if (Router router; config.Is<Router>() && config.UnpackTo(&router)) {
    tell_service_time = !router.suppress_envoy_headers();
    return absl::OkStatus();
  }
  StateConfig state;
  if (!config.UnpackTo(&state)) {
    return absl::InvalidArgumentError(absl::StrCat("@type: unknown: ", config.type_url()));
  }
  auto values = config::makeFilterStateValues(state.on_request_headers(), "on_request_headers");
  if (!values.ok()) {
    return values.status();
  }
  for (config::FilterStateValue& value : *values) {
    state_values.push_back(std::move(value));
  }
  return absl::OkStatus();
}

} // namespace culvert::http_connection_manager
