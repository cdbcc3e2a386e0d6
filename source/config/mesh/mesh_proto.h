// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "source/config/problems.h"
#include "source/registry/registry.h"
#include "source/stats/store.h"

namespace culvert::mesh {
class Node;
}
namespace culvert::tls {
class Contexts;
}
namespace envoy::config::bootstrap::v3 {
class Bootstrap;
}

namespace culvert::config::mesh {

// Adds the bootstrap extension culvert.bootstrap.mesh. Threads: main.
void registerMesh(registry::Registry& registry);

// What that extension of a bootstrap says; null: it has none, or one with mistakes.
// Threads: main. Errors: in `problems`.
std::unique_ptr<culvert::mesh::Node>
readMesh(const envoy::config::bootstrap::v3::Bootstrap& bootstrap, culvert::tls::Contexts& contexts,
         stats::Scope& scope, Problems& problems);

} // namespace culvert::config::mesh
