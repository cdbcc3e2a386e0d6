// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/cluster_stats.h"

#include "absl/strings/string_view.h"

namespace culvert::upstream {
namespace {

// What Envoy shows for every cluster and most clusters of TCP connections never move.
constexpr absl::string_view kStillCounters[] = {
    "assignment_stale",
    "assignment_timeout_received",
    "assignment_use_cached",
    "lb_local_cluster_not_ok",
    "lb_recalculate_zone_structures",
    "lb_subsets_created",
    "lb_subsets_fallback",
    "lb_subsets_fallback_panic",
    "lb_subsets_removed",
    "lb_subsets_selected",
    "lb_zone_cluster_too_small",
    "lb_zone_no_capacity_left",
    "lb_zone_routing_all_directly",
    "lb_zone_routing_cross_zone",
    "lb_zone_routing_sampled",
    "retry_or_shadow_abandoned",
    "upstream_cx_connect_with_0_rtt",
    "upstream_cx_http3_total",
    "upstream_cx_pool_overflow",
    "upstream_cx_preconnect_skipped",
    "upstream_flow_control_backed_up_total",
    "upstream_flow_control_drained_total",
    "upstream_http3_broken",
    "upstream_internal_redirect_failed_total",
    "upstream_internal_redirect_succeeded_total",
    "upstream_queue_overloaded",
    "upstream_rq_0rtt",
    "upstream_rq_completed",
    "upstream_rq_maintenance_mode",
    "upstream_rq_max_duration_reached",
    "upstream_rq_per_try_idle_timeout",
    "upstream_rq_per_try_timeout",
    "upstream_rq_retry",
    "upstream_rq_retry_backoff_exponential",
    "upstream_rq_retry_backoff_ratelimited",
    "upstream_rq_retry_limit_exceeded",
    "upstream_rq_retry_overflow",
    "upstream_rq_retry_success",
    "upstream_rq_rx_reset_no_error",
    "upstream_rq_timeout",
};

constexpr absl::string_view kStillGauges[] = {
    "lb_subsets_active",
    "max_host_weight",
    "upstream_cx_rx_bytes_buffered",
    "upstream_cx_tx_bytes_buffered",
    "version",
};

} // namespace

#define CULVERT_COUNTER(name) name(scope.counter(#name)),
#define CULVERT_GAUGE(name) name(scope.gauge(#name)),
#define CULVERT_HISTOGRAM(name) name(scope.histogram(#name, stats::Unit::kMilliseconds)),
ClusterStats::ClusterStats(stats::Scope& scope)
    : CULVERT_CLUSTER_STATS(CULVERT_COUNTER, CULVERT_GAUGE, CULVERT_HISTOGRAM)
          default_total_match_count(scope.counter("default.total_match_count")) {
  for (const absl::string_view name : kStillCounters) {
    scope.counter(name);
  }
  for (const absl::string_view name : kStillGauges) {
    scope.gauge(name);
  }
  scope.histogram("upstream_rq_per_cx", stats::Unit::kUnspecified);
}

} // namespace culvert::upstream
