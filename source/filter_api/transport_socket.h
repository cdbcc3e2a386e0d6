// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "source/event/loop.h"
#include "source/filter_api/factory.h"
#include "source/net/io.h"
#include "source/registry/registry.h"

namespace culvert {

// What the connections of one filter chain run over, above the accepted socket: TLS.
// Threads: made on main, used by all workers at once. Lifetime: outlives the chain's connections.
class DownstreamTransport {
public:
  virtual ~DownstreamTransport() = default;

  // Puts itself over `socket`, which is open. The result still has to be opened.
  virtual std::unique_ptr<net::Io> accept(event::Loop& loop,
                                          std::unique_ptr<net::Io> socket) const = 0;
};

// Registry category kTransportSocketIn. Threads: main.
class DownstreamTransportFactory : public registry::Factory {
public:
  // `scope` is the listener's. Null: the socket as it is. Errors: begin with the path of the field
  // inside `config`.
  virtual absl::StatusOr<std::shared_ptr<const DownstreamTransport>>
  create(const google::protobuf::Message& config, FactoryContext& context,
         stats::Scope& scope) const = 0;
};

} // namespace culvert
