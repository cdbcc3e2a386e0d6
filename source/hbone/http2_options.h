// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "source/base/clock.h"

namespace culvert::hbone {

// One of what a peer is told at the start (RFC 9113, section 6.5).
struct Http2Setting {
  uint16_t id;
  uint32_t value;
};
inline constexpr uint16_t kHttp2MaxFrameSize = 5;

// How one end of an HTTP/2 connection behaves. The numbers are Envoy's defaults.
struct Http2Options {
  uint32_t max_concurrent_streams = 1024;
  uint32_t stream_window_bytes = 16 * 1024 * 1024;
  uint32_t connection_window_bytes = 24 * 1024 * 1024;
  uint32_t header_bytes_max = 60 * 1024; // Of one request or response.
  uint32_t header_count_max = 100;
  bool allow_connect = false; // Extended CONNECT (RFC 8441) is offered.
  // A message that breaks HTTP's rules ends its stream only, not the connection.
  bool bad_messages_end_streams = false;
  // Told beside what the numbers above say; each value is one that HTTP/2 allows.
  std::vector<Http2Setting> more_settings;
  // After each interval a PING, which the peer answers within the timeout. 0: none.
  base::Duration keepalive_interval{0};
  base::Duration keepalive_timeout{0};
};

} // namespace culvert::hbone
