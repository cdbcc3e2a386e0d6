// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "source/net/metadata.h"
#include "source/stats/store.h"
#include "source/upstream/transport_socket.h"

namespace culvert::upstream {

// What an internal_upstream transport takes along.
struct InternalTransportConfig {
  struct Source {
    bool of_host; // Otherwise the cluster's.
    std::string name;
  };

  std::vector<Source> metadata;
  std::shared_ptr<const net::Metadata> cluster_metadata; // Null when there is none.
  std::shared_ptr<TransportSocketFactory> transport;     // What the connections run over.
  std::unique_ptr<stats::Scope> scope;                   // The cluster's.
};

// internal_upstream: with connections to internal listeners go metadata, and the filter state of
// the downstream connection that is shared.
std::shared_ptr<TransportSocketFactory> makeInternalTransport(InternalTransportConfig config);

} // namespace culvert::upstream
