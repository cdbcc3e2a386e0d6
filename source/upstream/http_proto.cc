// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/http_proto.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "envoy/extensions/upstreams/tcp/v3/tcp_protocol_options.pb.h"
#include "source/base/field_error.h"
#include "source/base/proto.h"
#include "source/upstream/http2_options_proto.h"

namespace culvert::upstream {
namespace {

namespace core = envoy::config::core::v3;
using envoy::config::cluster::v3::Cluster;
using envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
using envoy::extensions::upstreams::tcp::v3::TcpProtocolOptions;

void readCommon(const core::HttpProtocolOptions& proto, HttpConfig& config) {
  if (proto.has_idle_timeout()) {
    config.idle_timeout = base::toDuration(proto.idle_timeout());
  }
  if (proto.has_max_connection_duration()) {
    config.max_connection_duration = base::toDuration(proto.max_connection_duration());
  }
  if (proto.has_max_requests_per_connection()) {
    config.max_requests_per_connection = proto.max_requests_per_connection().value();
  }
  if (proto.has_max_headers_count()) {
    config.http2_options.header_count_max = proto.max_headers_count().value();
  }
}

// `path` is that of `proto` in the cluster.
absl::Status readHttp2(absl::string_view path, const core::Http2ProtocolOptions& proto,
                       HttpConfig& config) {
  config.http2 = true;
  const absl::Status status = readHttp2Options(proto, config.http2_options);
  return status.ok() ? status : base::errorWithin(path, status);
}

template <class Options> std::string pathOf() {
  return absl::StrCat("typed_extension_protocol_options[", Options::descriptor()->full_name(), "]");
}

// The options of this type, if the cluster has them; whether it has.
template <class Options> absl::StatusOr<bool> findOptions(const Cluster& proto, Options& options) {
  const auto it = proto.typed_extension_protocol_options().find(Options::descriptor()->full_name());
  if (it == proto.typed_extension_protocol_options().end()) {
    return false;
  }
  if (!it->second.UnpackTo(&options)) {
    return base::errorAt(pathOf<Options>(), "holds another message");
  }
  return true;
}

} // namespace

absl::StatusOr<base::Duration> parseSpareIdleTimeout(const Cluster& proto) {
  TcpProtocolOptions options;
  const absl::StatusOr<bool> found = findOptions(proto, options);
  if (!found.ok()) {
    return found.status();
  }
  return options.has_idle_timeout() ? base::toDuration(options.idle_timeout()) : kSpareIdleTimeout;
}

absl::StatusOr<HttpConfig> parseHttp(const Cluster& proto) {
  HttpConfig config;
  config.pool_per_downstream = proto.connection_pool_per_downstream_connection();
  HttpProtocolOptions options;
  const absl::StatusOr<bool> found = findOptions(proto, options);
  if (!found.ok()) {
    return found.status();
  }
  absl::Status status;
  if (*found) {
    readCommon(options.common_http_protocol_options(), config);
    const auto& http = options.explicit_http_config();
    if (http.has_http2_protocol_options()) {
      status = readHttp2(absl::StrCat(pathOf<HttpProtocolOptions>(),
                                      ".explicit_http_config.http2_protocol_options"),
                         http.http2_protocol_options(), config);
    }
    return status.ok() ? absl::StatusOr<HttpConfig>(std::move(config)) : status;
  }
  readCommon(proto.common_http_protocol_options(), config);
  if (proto.has_max_requests_per_connection()) {
    config.max_requests_per_connection = proto.max_requests_per_connection().value();
  }
  if (proto.has_http2_protocol_options()) {
    status = readHttp2("http2_protocol_options", proto.http2_protocol_options(), config);
  }
  return status.ok() ? absl::StatusOr<HttpConfig>(std::move(config)) : status;
}

} // namespace culvert::upstream
