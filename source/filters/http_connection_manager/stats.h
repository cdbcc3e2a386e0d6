// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/stats/store.h"

namespace culvert::http_connection_manager {

// The statistics `http.<stat_prefix>.*`, of connections, of requests, and of where these were sent.
// What cannot happen here, such as HTTP/3, is there and stays 0, as in an Envoy without it.
#define CULVERT_HTTP_COUNTERS(X)                                                                   \
  X(downstream_cx_delayed_close_timeout)                                                           \
  X(downstream_cx_destroy)                                                                         \
  X(downstream_cx_destroy_active_rq)                                                               \
  X(downstream_cx_destroy_local)                                                                   \
  X(downstream_cx_destroy_local_active_rq)                                                         \
  X(downstream_cx_destroy_remote)                                                                  \
  X(downstream_cx_destroy_remote_active_rq)                                                        \
  X(downstream_cx_drain_close)                                                                     \
  X(downstream_cx_http1_soft_drain)                                                                \
  X(downstream_cx_http1_total)                                                                     \
  X(downstream_cx_http2_total)                                                                     \
  X(downstream_cx_http3_total)                                                                     \
  X(downstream_cx_idle_timeout)                                                                    \
  X(downstream_cx_max_duration_reached)                                                            \
  X(downstream_cx_max_requests_reached)                                                            \
  X(downstream_cx_overload_disable_keepalive)                                                      \
  X(downstream_cx_protocol_error)                                                                  \
  X(downstream_cx_rx_bytes_total)                                                                  \
  X(downstream_cx_ssl_total)                                                                       \
  X(downstream_cx_total)                                                                           \
  X(downstream_cx_tx_bytes_total)                                                                  \
  X(downstream_cx_upgrades_total)                                                                  \
  X(downstream_flow_control_paused_reading_total)                                                  \
  X(downstream_flow_control_resumed_reading_total)                                                 \
  X(downstream_rq_1xx)                                                                             \
  X(downstream_rq_2xx)                                                                             \
  X(downstream_rq_3xx)                                                                             \
  X(downstream_rq_4xx)                                                                             \
  X(downstream_rq_5xx)                                                                             \
  X(downstream_rq_completed)                                                                       \
  X(downstream_rq_failed_path_normalization)                                                       \
  X(downstream_rq_header_timeout)                                                                  \
  X(downstream_rq_http1_total)                                                                     \
  X(downstream_rq_http2_total)                                                                     \
  X(downstream_rq_http3_total)                                                                     \
  X(downstream_rq_idle_timeout)                                                                    \
  X(downstream_rq_max_duration_reached)                                                            \
  X(downstream_rq_non_relative_path)                                                               \
  X(downstream_rq_overload_close)                                                                  \
  X(downstream_rq_redirected_with_normalized_path)                                                 \
  X(downstream_rq_rejected_via_ip_detection)                                                       \
  X(downstream_rq_response_before_rq_complete)                                                     \
  X(downstream_rq_rx_reset)                                                                        \
  X(downstream_rq_timeout)                                                                         \
  X(downstream_rq_too_large)                                                                       \
  X(downstream_rq_too_many_premature_resets)                                                       \
  X(downstream_rq_total)                                                                           \
  X(downstream_rq_tx_reset)                                                                        \
  X(downstream_rq_ws_on_non_ws_route)                                                              \
  X(no_cluster)                                                                                    \
  X(no_route)                                                                                      \
  X(rq_direct_response)                                                                            \
  X(rq_overload_local_reply)                                                                       \
  X(rq_redirect)                                                                                   \
  X(rq_reset_after_downstream_response_started)                                                    \
  X(rq_total)                                                                                      \
  X(rs_too_large)                                                                                  \
  X(upstream_flush_overflow)

#define CULVERT_HTTP_GAUGES(X)                                                                     \
  X(downstream_cx_active)                                                                          \
  X(downstream_cx_http1_active)                                                                    \
  X(downstream_cx_http2_active)                                                                    \
  X(downstream_cx_http3_active)                                                                    \
  X(downstream_cx_rx_bytes_buffered)                                                               \
  X(downstream_cx_ssl_active)                                                                      \
  X(downstream_cx_tx_bytes_buffered)                                                               \
  X(downstream_cx_upgrades_active)                                                                 \
  X(downstream_rq_active)

// Threads: made on main, counted by all workers. Lifetime: the scope's.
struct Stats {
  explicit Stats(stats::Scope& scope)
      :
#define CULVERT_COUNTER(name) name(scope.counter(#name)),
        CULVERT_HTTP_COUNTERS(CULVERT_COUNTER)
#undef CULVERT_COUNTER
#define CULVERT_GAUGE(name) name(scope.gauge(#name)),
            CULVERT_HTTP_GAUGES(CULVERT_GAUGE)
#undef CULVERT_GAUGE
                downstream_cx_length_ms(
                    scope.histogram("downstream_cx_length_ms", stats::Unit::kMilliseconds)),
        downstream_rq_time(scope.histogram("downstream_rq_time", stats::Unit::kMilliseconds)) {
  }

#define CULVERT_COUNTER(name) stats::Counter& name;
  CULVERT_HTTP_COUNTERS(CULVERT_COUNTER)
#undef CULVERT_COUNTER
#define CULVERT_GAUGE(name) stats::Gauge& name;
  CULVERT_HTTP_GAUGES(CULVERT_GAUGE)
#undef CULVERT_GAUGE
  stats::Histogram& downstream_cx_length_ms;
  stats::Histogram& downstream_rq_time;
};

} // namespace culvert::http_connection_manager
