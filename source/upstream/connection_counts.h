// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/base/clock.h"
#include "source/upstream/cluster_info.h"
#include "source/upstream/host.h"

namespace culvert::upstream {

// What is counted about connections to hosts and about what they are asked for, which to Envoy is a
// request, be it a TCP session or a tunnel (envoy-compat D.3, D.5). Threads: workers.

struct ConnectionEnd {
  bool connected;    // It had been.
  bool by_peer;      // Who ended it.
  bool with_request; // Something still went over it.
};

// The circuit breaker for connections has been taken.
void countConnection(ClusterInfo& info, HostState& host);
void countConnected(ClusterInfo& info, base::Duration after);
void countConnectionEnd(ClusterInfo& info, HostState& host, const ConnectionEnd& end,
                        base::Duration length);

// A request that waits for its connection; the circuit breaker for those has been taken.
void countWaiting(ClusterInfo& info, HostState& host);
void countWaitingEnd(ClusterInfo& info, HostState& host);
// One that has it; the circuit breaker for requests has been taken.
void countRequest(ClusterInfo& info, HostState& host);
void countRequestEnd(ClusterInfo& info, HostState& host);

} // namespace culvert::upstream
