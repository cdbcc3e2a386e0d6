// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/stats/store.h"

namespace culvert::hbone {

// What Envoy counts of HTTP/2 connections, as far as it happens here: `http2.*` of the process for
// those that were accepted, of a cluster for those to its hosts.
// Threads: made on main; counted by all workers. Lifetime: the scope's.
struct Http2Stats {
  explicit Http2Stats(stats::Scope& scope);

  stats::Counter& goaway_sent;
  stats::Counter& header_overflow;
  stats::Counter& inbound_empty_frames_flood;
  stats::Counter& inbound_priority_frames_flood;
  stats::Counter& inbound_window_update_frames_flood;
  stats::Counter& keepalive_timeout;
  stats::Counter& outbound_control_flood;
  stats::Counter& rx_messaging_error;
  stats::Counter& rx_reset;
  stats::Counter& stream_refused_errors;
  stats::Counter& trailers;
  stats::Counter& tx_reset;
  stats::Gauge& pending_send_bytes;
  stats::Gauge& streams_active;
};

} // namespace culvert::hbone
