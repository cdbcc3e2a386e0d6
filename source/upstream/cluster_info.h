// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "source/hbone/http2_stats.h"
#include "source/net/connection_info.h"
#include "source/stats/store.h"
#include "source/upstream/circuit_breakers.h"
#include "source/upstream/cluster_stats.h"
#include "source/upstream/config.h"
#include "source/upstream/transport_socket.h"

namespace culvert::upstream {

// What all threads share of one cluster as it was configured once: immutable, but for the counts
// in it. An update of the cluster makes a new one; connections of the old one keep the old.
// Threads: any; made and destroyed on main, see makeClusterInfo.
struct ClusterInfo {
  ClusterInfo(ClusterConfig cluster, std::unique_ptr<stats::Scope> stats_scope)
      : config(std::move(cluster)), scope(std::move(stats_scope)), stats(*scope),
        breakers(config.breakers.normal, *scope, "default"),
        high_breakers(config.breakers.high, *scope, "high"),
        http2_stats(config.http.http2 ? std::make_unique<Http2Scope>(*scope) : nullptr),
        transport(config.transport != nullptr ? config.transport : makeRawTransport()),
        description(std::make_shared<net::ClusterDescription>(
            net::ClusterDescription{config.name, config.statName(), config.metadata})) {}

  // cluster.<name>.http2.*
  struct Http2Scope {
    explicit Http2Scope(stats::Scope& parent) : scope(parent.scope("http2")), stats(*scope) {}

    const std::unique_ptr<stats::Scope> scope;
    hbone::Http2Stats stats;
  };

  const ClusterConfig config;
  const std::unique_ptr<stats::Scope> scope;
  ClusterStats stats;
  CircuitBreakers breakers;
  CircuitBreakers high_breakers;                 // Shown, for TCP has one priority.
  const std::unique_ptr<Http2Scope> http2_stats; // Null where it speaks no HTTP/2.
  const std::shared_ptr<TransportSocketFactory> transport;
  const std::shared_ptr<const net::ClusterDescription> description;
};

using ClusterInfoPtr = std::shared_ptr<ClusterInfo>;

// Whichever thread lets go last, it is destroyed on main: its statistics belong there.
// Lifetime: `main` outlives it or destroys it.
ClusterInfoPtr makeClusterInfo(event::Loop& main, ClusterConfig config, stats::Scope& parent);

} // namespace culvert::upstream
