// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bitset>
#include <memory>
#include <vector>

#include "source/net/proxy_header.h"
#include "source/stats/store.h"
#include "source/upstream/transport_socket.h"

namespace culvert::upstream {

// What an upstream_proxy_protocol transport tells hosts.
struct ProxyHeaderTransportConfig {
  int version = 1;
  std::vector<net::ProxyHeader::Tlv> added;          // In each header of version 2.
  std::bitset<256> passed;                           // Types of TLVs that go on from the client's.
  std::shared_ptr<TransportSocketFactory> transport; // What the connections run over.
  std::unique_ptr<stats::Scope> scope;               // The cluster's.
};

// upstream_proxy_protocol: connections begin with a PROXY header that says who the client is.
std::shared_ptr<TransportSocketFactory> makeProxyHeaderTransport(ProxyHeaderTransportConfig config);

} // namespace culvert::upstream
