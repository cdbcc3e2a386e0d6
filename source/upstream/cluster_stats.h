// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/stats/store.h"

namespace culvert::upstream {

// What moves in a cluster's statistics; the names are the statistics' own (envoy-compat D.3).
#define CULVERT_CLUSTER_STATS(COUNTER, GAUGE, HISTOGRAM)                                           \
  COUNTER(bind_errors)                                                                             \
  COUNTER(lb_healthy_panic)                                                                        \
  COUNTER(membership_change)                                                                       \
  COUNTER(original_dst_host_invalid)                                                               \
  COUNTER(update_attempt)                                                                          \
  COUNTER(update_empty)                                                                            \
  COUNTER(update_failure)                                                                          \
  COUNTER(update_no_rebuild)                                                                       \
  COUNTER(update_success)                                                                          \
  COUNTER(upstream_cx_close_notify)                                                                \
  COUNTER(upstream_cx_connect_attempts_exceeded)                                                   \
  COUNTER(upstream_cx_connect_fail)                                                                \
  COUNTER(upstream_cx_connect_timeout)                                                             \
  COUNTER(upstream_cx_destroy)                                                                     \
  COUNTER(upstream_cx_destroy_local)                                                               \
  COUNTER(upstream_cx_destroy_local_with_active_rq)                                                \
  COUNTER(upstream_cx_destroy_remote)                                                              \
  COUNTER(upstream_cx_destroy_remote_with_active_rq)                                               \
  COUNTER(upstream_cx_destroy_with_active_rq)                                                      \
  COUNTER(upstream_cx_http1_total)                                                                 \
  COUNTER(upstream_cx_http2_total)                                                                 \
  COUNTER(upstream_cx_idle_timeout)                                                                \
  COUNTER(upstream_cx_max_duration_reached)                                                        \
  COUNTER(upstream_cx_max_requests)                                                                \
  COUNTER(upstream_cx_none_healthy)                                                                \
  COUNTER(upstream_cx_overflow)                                                                    \
  COUNTER(upstream_cx_protocol_error)                                                              \
  COUNTER(upstream_cx_rx_bytes_total)                                                              \
  COUNTER(upstream_cx_total)                                                                       \
  COUNTER(upstream_cx_tx_bytes_total)                                                              \
  COUNTER(upstream_flow_control_paused_reading_total)                                              \
  COUNTER(upstream_flow_control_resumed_reading_total)                                             \
  COUNTER(upstream_rq_active_overflow)                                                             \
  COUNTER(upstream_rq_cancelled)                                                                   \
  COUNTER(upstream_rq_pending_failure_eject)                                                       \
  COUNTER(upstream_rq_pending_overflow)                                                            \
  COUNTER(upstream_rq_pending_total)                                                               \
  COUNTER(upstream_rq_rx_reset)                                                                    \
  COUNTER(upstream_rq_total)                                                                       \
  COUNTER(upstream_rq_tx_reset)                                                                    \
  GAUGE(membership_degraded)                                                                       \
  GAUGE(membership_excluded)                                                                       \
  GAUGE(membership_healthy)                                                                        \
  GAUGE(membership_total)                                                                          \
  GAUGE(upstream_cx_active)                                                                        \
  GAUGE(upstream_rq_active)                                                                        \
  GAUGE(upstream_rq_pending_active)                                                                \
  GAUGE(warming_state)                                                                             \
  HISTOGRAM(upstream_cx_connect_ms)                                                                \
  HISTOGRAM(upstream_cx_length_ms)

// References to them, found once when the cluster is made; and, below the same scope, those that
// Envoy shows for every cluster and that TCP never moves.
// Threads: made on main; the stats are for all. Lifetime: the scope's.
struct ClusterStats {
  explicit ClusterStats(stats::Scope& scope);

#define CULVERT_COUNTER(name) stats::Counter& name;
#define CULVERT_GAUGE(name) stats::Gauge& name;
#define CULVERT_HISTOGRAM(name) stats::Histogram& name;
  CULVERT_CLUSTER_STATS(CULVERT_COUNTER, CULVERT_GAUGE, CULVERT_HISTOGRAM)
#undef CULVERT_COUNTER
#undef CULVERT_GAUGE
#undef CULVERT_HISTOGRAM
  stats::Counter& default_total_match_count; // Hosts whose transport socket was chosen.
};

} // namespace culvert::upstream
