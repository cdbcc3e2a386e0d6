// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "source/config/problems.h"
#include "source/registry/registry.h"

namespace envoy::config::bootstrap::v3 {
class Bootstrap;
}

namespace culvert::server {

// What a bootstrap's bootstrap_extensions can name: envoy.bootstrap.internal_listener.
// Threads: main.
void registerBootstrapExtensions(registry::Registry& registry);

// How many bytes wait in each direction of a connection to an internal listener at most; 0 when the
// extension that allows such listeners is not named. Threads: main. Errors: in `problems`.
size_t readInternalBuffer(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                          config::Problems& problems);

} // namespace culvert::server
