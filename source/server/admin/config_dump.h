// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/base/clock.h"
#include "source/server/admin/admin_context.h"

namespace envoy::admin::v3 {
class SecretsConfigDump;
}
namespace envoy::config::bootstrap::v3 {
class Bootstrap;
}

namespace google::protobuf {
class Message;
}

namespace culvert::server {

// A resource that came while the server ran. Lifetime of what it points to: the call's.
struct DynamicResource {
  std::string name;
  std::string version;
  const google::protobuf::Message* message = nullptr;
  base::WallTime updated;
  std::string details; // Of one that was refused: why.
};

struct DynamicResources {
  std::string clusters_version;
  std::vector<DynamicResource> active_clusters;
  std::vector<DynamicResource> warming_clusters;
  std::string listeners_version;
  std::vector<DynamicResource> active_listeners;
  std::vector<DynamicResource> draining_listeners;
  std::vector<DynamicResource> refused_listeners;
};

// What /config_dump shows. Lifetime: the call's.
struct ConfigDumpSource {
  const envoy::config::bootstrap::v3::Bootstrap& bootstrap;
  base::WallTime loaded;
  std::vector<ClusterView> clusters; // For their endpoints.
  DynamicResources dynamic;
  const envoy::admin::v3::SecretsConfigDump& secrets;
};

// The answer as JSON, with secrets made unreadable (envoy-compat B.7).
// Threads: main. Errors: NotFound and InvalidArgument, with Envoy's texts.
absl::StatusOr<std::string> configDump(const ConfigDumpSource& source,
                                       const ConfigDumpQuery& query);

} // namespace culvert::server
