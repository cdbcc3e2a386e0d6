// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/http2_options_proto.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "envoy/config/core/v3/protocol.pb.h"
#include "source/base/field_error.h"
#include "source/base/proto.h"

namespace culvert::upstream {
namespace {

using envoy::config::core::v3::Http2ProtocolOptions;

// The settings of RFC 9113, section 6.5.2, and of RFC 8441 and 9218, by their numbers.
enum Setting : uint16_t {
  kHeaderTableSize = 1,
  kEnablePush = 2,
  kMaxConcurrentStreams = 3,
  kInitialWindowSize = 4,
  kMaxFrameSize = hbone::kHttp2MaxFrameSize,
  kEnableConnectProtocol = 8,
  kNoRfc7540Priorities = 9,
};

// The field that says the same, if it is set.
absl::string_view namedTwin(const Http2ProtocolOptions& proto, uint32_t id) {
  switch (id) {
  case kHeaderTableSize:
    return proto.has_hpack_table_size() ? "hpack_table_size" : "";
  case kMaxConcurrentStreams:
    return proto.has_max_concurrent_streams() ? "max_concurrent_streams" : "";
  case kInitialWindowSize:
    return proto.has_initial_stream_window_size() ? "initial_stream_window_size" : "";
  default:
    return "";
  }
}

// Why HTTP/2 does not allow that value; empty: it does.
std::string whyNot(uint32_t id, uint32_t value) {
  uint32_t low = 0;
  uint32_t high = std::numeric_limits<uint32_t>::max();
  switch (id) {
  case kInitialWindowSize:
    high = std::numeric_limits<int32_t>::max();
    break;
  case kMaxFrameSize:
    low = 1 << 14;
    high = (1 << 24) - 1;
    break;
  case kNoRfc7540Priorities:
    high = 1;
    break;
  default:
    break;
  }
  return low <= value && value <= high
             ? ""
             : absl::StrCat("value must be inside range [", low, ", ", high, "]");
}

// What is wrong with the custom setting of that index; empty: nothing. Envoy's words where it has
// any.
std::string faultOf(const Http2ProtocolOptions& proto, int index) {
  const auto& all = proto.custom_settings_parameters();
  const uint32_t id = all[index].identifier().value();
  const uint32_t value = all[index].value().value();
  const absl::string_view twin = namedTwin(proto, id);
  const bool inconsistent = std::any_of(all.begin(), all.begin() + index, [&](const auto& earlier) {
    return earlier.identifier().value() == id && earlier.value().value() != value;
  });
  if (id == kEnablePush && value != 0) {
    return "server push is not supported by Envoy and can not be enabled via a SETTINGS parameter.";
  }
  if (id == kEnableConnectProtocol) {
    return "the \"allow_connect\" SETTINGS parameter must only be configured through the named "
           "field";
  }
  if (!twin.empty()) {
    return absl::StrCat("the {", twin,
                        "} HTTP/2 SETTINGS parameter(s) can not be configured through "
                        "both named and custom parameters");
  }
  if (inconsistent) {
    return absl::StrFormat(
        "inconsistent HTTP/2 custom SETTINGS parameter(s) detected; identifiers = {0x%02x}", id);
  }
  return whyNot(id, value);
}

void takeSetting(uint32_t id, uint32_t value, hbone::Http2Options& options) {
  switch (id) {
  case kEnablePush: // It is 0 anyway.
    break;
  case kMaxConcurrentStreams:
    options.max_concurrent_streams = value;
    break;
  case kInitialWindowSize:
    options.stream_window_bytes = value;
    break;
  default:
    options.more_settings.push_back({static_cast<uint16_t>(id), value});
  }
}

absl::Status readCustomSettings(const Http2ProtocolOptions& proto, hbone::Http2Options& options) {
  for (int i = 0; i < proto.custom_settings_parameters_size(); i++) {
    if (const std::string fault = faultOf(proto, i); !fault.empty()) {
      return base::errorAt(absl::StrCat("custom_settings_parameters[", i, "]"), fault);
    }
    const auto& setting = proto.custom_settings_parameters(i);
    takeSetting(setting.identifier().value(), setting.value().value(), options);
  }
  return absl::OkStatus();
}

} // namespace

absl::Status readHttp2Options(const Http2ProtocolOptions& proto, hbone::Http2Options& options) {
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
  return readCustomSettings(proto, options);
}

} // namespace culvert::upstream
