// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "source/server/admin/admin_context.h"

namespace envoy::config::bootstrap::v3 {
class Bootstrap;
}
namespace culvert::upstream {
class ClusterManager;
}

namespace culvert::server {

// Clusters that have had no answer yet of what they wait for: names, endpoints, first checks.
std::vector<UnreadyView> unreadyClusters(const upstream::ClusterManager& clusters);
// What the bootstrap's listeners will ask for once the clusters are ready: secrets by name.
std::vector<UnreadyView> unreadyListeners(const envoy::config::bootstrap::v3::Bootstrap& bootstrap);

} // namespace culvert::server
