// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "source/config/mesh_file.h"
#include "source/config/problems.h"
#include "source/config/watched_file.h"
#include "source/event/file_watcher.h"
#include "source/mesh/node/node.h"
#include "source/registry/registry.h"
#include "source/stats/store.h"
#include "source/tls/contexts.h"

namespace envoy::config::bootstrap::v3 {
class Bootstrap;
}

namespace culvert::config::node {

// A node with what fills its table.
// Threads: main. Lifetime: the server's.
struct LoadedNode {
  LoadedNode(event::Loop& main, culvert::mesh::NodeSettings settings,
             std::unique_ptr<culvert::mesh::Certificates> certificates,
             std::unique_ptr<culvert::mesh::NameLookups> names)
      : node(std::move(settings), std::move(certificates), std::move(names)), watcher(main) {}

  culvert::mesh::Node node;
  event::FileWatcher watcher;
  std::unique_ptr<MeshSource> source;    // Null: nothing does.
  std::unique_ptr<WatchedFile> crl_file; // Null: there is none.
};

// Adds the bootstrap extension culvert.bootstrap.mesh, its transport socket and its access logger.
// Threads: main.
void registerMesh(registry::Registry& registry);

// What that extension of a bootstrap says; null: it has none, or one with mistakes.
// Threads: main. Errors: in `problems`.
std::unique_ptr<LoadedNode> readMesh(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                                     culvert::tls::Contexts& contexts, stats::Scope& scope,
                                     Problems& problems);

} // namespace culvert::config::node
