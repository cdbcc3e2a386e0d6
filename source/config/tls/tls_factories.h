// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace culvert::registry {
class Registry;
}

namespace culvert::config::tls {

// envoy.transport_sockets.tls for both sides, and raw_buffer for the downstream one.
// Threads: main.
void registerTls(registry::Registry& registry);

} // namespace culvert::config::tls
