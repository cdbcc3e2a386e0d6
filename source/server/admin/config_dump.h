// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/base/clock.h"
#include "source/server/admin/admin_context.h"

namespace envoy::config::bootstrap::v3 {
class Bootstrap;
}

namespace culvert::server {

// What /config_dump shows. Lifetime: the call's.
struct ConfigDumpSource {
  const envoy::config::bootstrap::v3::Bootstrap& bootstrap;
  base::WallTime loaded;
  std::vector<ClusterView> clusters; // For their endpoints.
};

// The answer as JSON, with secrets made unreadable (envoy-compat B.7).
// Threads: main. Errors: NotFound and InvalidArgument, with Envoy's texts.
absl::StatusOr<std::string> configDump(const ConfigDumpSource& source,
                                       const ConfigDumpQuery& query);

} // namespace culvert::server
