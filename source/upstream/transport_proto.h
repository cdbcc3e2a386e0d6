// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "source/registry/registry.h"
#include "source/upstream/factories.h"

namespace envoy::config::core::v3 {
class TransportSocket;
}

namespace culvert::upstream {

// The transport socket that `proto` chooses; for a field `transport_socket`, be it a cluster's or
// that of a transport which runs over another one.
// Threads: main. Errors: begin with "transport_socket".
absl::StatusOr<std::shared_ptr<TransportSocketFactory>>
parseTransport(const envoy::config::core::v3::TransportSocket& proto,
               const TransportContext& context);

// raw_buffer, internal_upstream and upstream_proxy_protocol.
void registerTransports(registry::Registry& registry);

} // namespace culvert::upstream
