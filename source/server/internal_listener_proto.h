// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"
#include "source/config/problems.h"
#include "source/server/listener_config.h"

namespace envoy::config::listener::v3 {
class Listener;
}

namespace culvert::server {

// What makes a listener an internal one, and Envoy's rules for one without a socket. `config` has
// its name already; `buffer_bytes` is 0 when the bootstrap does not allow such listeners.
// Threads: main. Errors: in `problems`, below `path`.
void readInternalListener(const envoy::config::listener::v3::Listener& proto,
                          absl::string_view path, size_t buffer_bytes, config::Problems& problems,
                          ListenerConfig& config);

} // namespace culvert::server
