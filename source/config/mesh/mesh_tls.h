// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/registry/registry.h"

namespace culvert::config::node {

// Adds the transport socket culvert.transport_sockets.mesh, of listeners and of clusters.
// Threads: main.
void registerMeshTls(registry::Registry& registry);

} // namespace culvert::config::node
