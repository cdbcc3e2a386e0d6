// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/http2_options_proto.h"

#include "envoy/config/core/v3/protocol.pb.h"
#include "source/base/proto.h"

namespace culvert::upstream {

void readHttp2Options(const envoy::config::core::v3::Http2ProtocolOptions& proto,
                      hbone::Http2Options& options) {
  if (proto.has_max_concurrent_streams()) {
    options.max_concurrent_streams = proto.max_concurrent_streams().value();
  }
  if (proto.has_initial_stream_window_size()) {
    options.stream_window_bytes = proto.initial_stream_window_size().value();
  }
  if (proto.has_initial_connection_window_size()) {
    options.connection_window_bytes = proto.initial_connection_window_size().value();
  }
  options.allow_connect = proto.allow_connect();
  options.bad_messages_end_streams =
      proto.has_override_stream_error_on_invalid_http_message()
          ? proto.override_stream_error_on_invalid_http_message().value()
          : proto.stream_error_on_invalid_http_messaging(); // Its older spelling.
  options.keepalive_interval = base::toDuration(proto.connection_keepalive().interval());
  options.keepalive_timeout = base::toDuration(proto.connection_keepalive().timeout());
}

} // namespace culvert::upstream
