// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/connection_counts.h"

namespace culvert::upstream {
namespace {

template <class T> void increase(std::atomic<T>& value) {
  value.fetch_add(1, std::memory_order_relaxed);
}
template <class T> void decrease(std::atomic<T>& value) {
  value.fetch_sub(1, std::memory_order_relaxed);
}

} // namespace

void countConnection(ClusterInfo& info, HostState& host) {
  info.stats.upstream_cx_total.add();
  info.stats.upstream_cx_active.add();
  increase(host.cx_total);
  increase(host.cx_active);
}

void countConnected(ClusterInfo& info, base::Duration after) {
  info.stats.upstream_cx_connect_ms.record(base::toMilliseconds(after));
}

void countConnectionEnd(ClusterInfo& info, HostState& host, const ConnectionEnd& end,
                        base::Duration length) {
  ClusterStats& stats = info.stats;
  stats.upstream_cx_length_ms.record(base::toMilliseconds(length));
  stats.upstream_cx_active.sub();
  stats.upstream_cx_destroy.add();
  (end.by_peer ? stats.upstream_cx_destroy_remote : stats.upstream_cx_destroy_local).add();
  info.breakers.connections.giveBack();
  decrease(host.cx_active);
  if (!end.connected) {
    stats.upstream_cx_connect_fail.add();
    increase(host.cx_connect_fail);
  } else if (end.with_request) {
    stats.upstream_cx_destroy_with_active_rq.add();
    (end.by_peer ? stats.upstream_cx_destroy_remote_with_active_rq
                 : stats.upstream_cx_destroy_local_with_active_rq)
        .add();
  }
}

void countWaiting(ClusterInfo& info, HostState& host) {
  info.stats.upstream_rq_pending_total.add();
  info.stats.upstream_rq_pending_active.add();
  increase(host.rq_pending_active);
}

void countWaitingEnd(ClusterInfo& info, HostState& host) {
  info.stats.upstream_rq_pending_active.sub();
  info.breakers.pending.giveBack();
  decrease(host.rq_pending_active);
}

void countRequest(ClusterInfo& info, HostState& host) {
  info.stats.upstream_rq_total.add();
  info.stats.upstream_rq_active.add();
  increase(host.rq_total);
  increase(host.rq_active);
}

void countRequestEnd(ClusterInfo& info, HostState& host) {
  info.stats.upstream_rq_active.sub();
  info.breakers.requests.giveBack();
  decrease(host.rq_active);
}

} // namespace culvert::upstream
