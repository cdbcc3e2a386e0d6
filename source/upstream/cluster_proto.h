// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/statusor.h"
#include "source/registry/registry.h"
#include "source/upstream/config.h"

namespace culvert::config::tls {
class Secrets;
}
namespace culvert::mesh {
class Node;
}
namespace culvert::stats {
class Scope;
}
namespace culvert::tls {
class Contexts;
}
namespace envoy::config::cluster::v3 {
class Cluster;
}
namespace envoy::config::core::v3 {
class BindConfig;
}

namespace culvert::upstream {

// What is known beside a cluster's own message. Lifetime: the call's.
struct ClusterProtoContext {
  const registry::Registry& registry;
  // cluster_manager.upstream_bind_config of the bootstrap: for clusters that have none. May be
  // null.
  const envoy::config::core::v3::BindConfig* default_bind = nullptr;
  // For transport sockets: the root scope, and the server's TLS. Null where none of them asks.
  stats::Scope* stats = nullptr;
  tls::Contexts* tls = nullptr;
  config::tls::Secrets* secrets = nullptr;
  mesh::Node* mesh = nullptr;
};

// A cluster's message as plain values with all defaults applied. The message was checked before:
// constraints hold, and fields that are not honoured were refused or warned of.
// Threads: main. Errors: InvalidArgument that begins with the path of the field inside the message.
absl::StatusOr<ClusterConfig> parseCluster(const envoy::config::cluster::v3::Cluster& proto,
                                           const ClusterProtoContext& context);

} // namespace culvert::upstream
