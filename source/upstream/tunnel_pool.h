// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/upstream/host.h"
#include "source/upstream/tunnel_connection.h"

namespace culvert::upstream {

// A worker's HTTP/2 connections of one cluster, by host, and by what else keeps tunnels apart: the
// source address that is asked for, or the client where those share nothing.
// Threads: its worker's. Lifetime: its WorkerCluster's.
class TunnelPool {
public:
  // A connection with room, one that is connected rather than one that is not yet; null: there is
  // none.
  TunnelConnection* find(const TunnelKey& key);
  TunnelConnection& add(std::unique_ptr<TunnelConnection> connection);
  // Ends and destroys one that is closed.
  void remove(TunnelConnection& connection);

  // No new tunnels through the connections there are: all of them, or those to hosts that are gone
  // or unfit.
  void drainAll();
  void drainUnfit();
  // Ends the connections to `host`, with all tunnels through them.
  void closeTo(const Host& host);

private:
  template <class Which> void drain(const Which& which);

  absl::flat_hash_map<TunnelKey, std::vector<std::unique_ptr<TunnelConnection>>> connections_;
};

} // namespace culvert::upstream
