// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

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

namespace culvert::upstream {

// The factories of what a cluster's configuration can name. A further kind of cluster, policy or
// transport socket is a file with one of these and a line that registers it.
// Threads: main. Errors: begin with the path of the field, in the message that each takes.

// Registry category kCluster. The kinds that Cluster.type names have the full name of that value
// as their type(), "envoy.config.cluster.v3.Cluster.STATIC", and no message of their own.
class ClusterFactory : public registry::Factory {
public:
  // Whether addresses of endpoints are names for DNS.
  virtual bool resolvesNames() const { return false; }
  // Whether it takes the place of the load balancer: lb_policy is CLUSTER_PROVIDED.
  virtual bool choosesHosts() const { return false; }
  // Puts into `config`, which has everything else already, how its hosts are found. `own` is a
  // newConfig() that was filled from cluster_type; null when there is none.
  virtual absl::Status configure(const envoy::config::cluster::v3::Cluster& cluster,
                                 const google::protobuf::Message* own,
                                 ClusterConfig& config) const = 0;
};

// What a load balancer's message says.
struct Balancing {
  PolicyMaker make;
  bool locality_weighted = false; // Localities share by their weights.
};

// Registry category kLoadBalancer.
class LoadBalancerFactory : public registry::Factory {
public:
  virtual absl::StatusOr<Balancing> create(const google::protobuf::Message& config) const = 0;
  // Says in `config` what the older fields beside lb_policy say.
  virtual void takeOver(const envoy::config::cluster::v3::Cluster& cluster,
                        google::protobuf::Message& config) const {
    static_cast<void>(cluster), static_cast<void>(config);
  }
};

// What a transport socket may need beside its message. Lifetime: what it points to, the server's;
// the scope and the cluster, the call's.
struct TransportContext {
  const registry::Registry& registry;
  stats::Scope* scope; // The cluster's.
  tls::Contexts* tls;
  config::tls::Secrets* secrets;
  mesh::Node* mesh;             // Null: this process is no node of a mesh.
  const ClusterConfig& cluster; // What is known of it so far.
};

// Registry category kTransportSocketOut.
class UpstreamTransportFactory : public registry::Factory {
public:
  virtual absl::StatusOr<std::shared_ptr<TransportSocketFactory>>
  create(const google::protobuf::Message& config, const TransportContext& context) const = 0;
};

// STATIC, EDS, STRICT_DNS, LOGICAL_DNS, ORIGINAL_DST and envoy.clusters.dns; round_robin,
// least_request, random, ring_hash and maglev; raw_buffer, internal_upstream and
// upstream_proxy_protocol.
void registerBuiltIn(registry::Registry& registry);

} // namespace culvert::upstream
