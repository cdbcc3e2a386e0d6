// SPDX-License-Identifier: Apache-2.0
#include "source/hbone/http2_stats.h"

namespace culvert::hbone {

Http2Stats::Http2Stats(stats::Scope& scope)
    : goaway_sent(scope.counter("goaway_sent")), header_overflow(scope.counter("header_overflow")),
      inbound_empty_frames_flood(scope.counter("inbound_empty_frames_flood")),
      inbound_priority_frames_flood(scope.counter("inbound_priority_frames_flood")),
      inbound_window_update_frames_flood(scope.counter("inbound_window_update_frames_flood")),
      keepalive_timeout(scope.counter("keepalive_timeout")),
      outbound_control_flood(scope.counter("outbound_control_flood")),
      rx_messaging_error(scope.counter("rx_messaging_error")), rx_reset(scope.counter("rx_reset")),
      stream_refused_errors(scope.counter("stream_refused_errors")),
      trailers(scope.counter("trailers")), tx_reset(scope.counter("tx_reset")),
      pending_send_bytes(scope.gauge("pending_send_bytes")),
      streams_active(scope.gauge("streams_active")) {}

} // namespace culvert::hbone
