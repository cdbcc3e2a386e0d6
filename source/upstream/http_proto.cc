// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/http_proto.h"

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

void readHttp2(const core::Http2ProtocolOptions& proto, HttpConfig& config) {
  config.http2 = true;
  readHttp2Options(proto, config.http2_options);
}

// The options of this type, if the cluster has them; whether it has.
template <class Options> absl::StatusOr<bool> findOptions(const Cluster& proto, Options& options) {
  const std::string name(Options::descriptor()->full_name());
  const auto it = proto.typed_extension_protocol_options().find(name);
  if (it == proto.typed_extension_protocol_options().end()) {
    return false;
  }
  if (!it->second.UnpackTo(&options)) {
    return base::errorAt(absl::StrCat("typed_extension_protocol_options[", name, "]"),
                         "holds another message");
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
  if (*found) {
    readCommon(options.common_http_protocol_options(), config);
    if (options.explicit_http_config().has_http2_protocol_options()) {
      readHttp2(options.explicit_http_config().http2_protocol_options(), config);
    }
    return config;
  }
  readCommon(proto.common_http_protocol_options(), config);
  if (proto.has_max_requests_per_connection()) {
    config.max_requests_per_connection = proto.max_requests_per_connection().value();
  }
  if (proto.has_http2_protocol_options()) {
    readHttp2(proto.http2_protocol_options(), config);
  }
  return config;
}

} // namespace culvert::upstream
