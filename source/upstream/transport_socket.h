// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "source/event/loop.h"
#include "source/net/connection_info.h"
#include "source/net/io.h"
#include "source/net/socket.h"

namespace culvert::upstream {

class LoadBalancerContext;

// What a cluster's connections run over: a socket as it is, TLS, a stream of a tunnel.
// Threads: made on main, used by all workers at once. Lifetime: shared by clusters.
class TransportSocketFactory {
public:
  virtual ~TransportSocketFactory() = default;

  // Begins to reach `host`. Errors: the failure reason in Envoy's words; FailedPrecondition when
  // the source address cannot be bound.
  virtual absl::StatusOr<std::unique_ptr<net::Io>>
  connect(event::Loop& loop, const net::HostDescription& host, const net::ConnectOptions& options,
          const LoadBalancerContext& context) const = 0;
  // Whether what goes over them is encrypted.
  virtual bool secure() const { return false; }
  // What connections tell of who wants them, as a text: those of different texts are not shared.
  virtual std::string sharingKey(const LoadBalancerContext& context) const {
    static_cast<void>(context);
    return {};
  }
};

// raw_buffer: the socket as it is.
std::shared_ptr<TransportSocketFactory> makeRawTransport();

// A transport that never opens, for a host that could not even be tried: so that this failure
// arrives as all others do, in a later turn and with its reason.
std::unique_ptr<net::Io> makeBrokenTransport(event::Loop& loop, std::string reason);

} // namespace culvert::upstream
