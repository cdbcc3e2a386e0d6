// SPDX-License-Identifier: Apache-2.0
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "google/protobuf/empty.pb.h"
#include "source/upstream/dns_factories.h"
#include "source/upstream/eds_cluster.h"
#include "source/upstream/factories.h"
#include "source/upstream/original_dst_factory.h"
#include "source/upstream/policy_factories.h"
#include "source/upstream/transport_proto.h"

namespace culvert::upstream {
namespace {

using envoy::config::cluster::v3::Cluster;
using google::protobuf::Message;
using registry::Category;

class StaticFactory final : public ClusterFactory {
public:
  std::string type() const override { return "envoy.config.cluster.v3.Cluster.STATIC"; }
  std::string name() const override { return "envoy.cluster.static"; }
  std::unique_ptr<Message> newConfig() const override {
    return std::make_unique<google::protobuf::Empty>();
  }
  absl::Status configure(const Cluster&, const Message*, ClusterConfig&) const override {
    return absl::OkStatus(); // The endpoints as they are.
  }
};

} // namespace

void registerBuiltIn(registry::Registry& registry) {
  registry.add(Category::kCluster, std::make_unique<StaticFactory>());
  registerDnsClusters(registry);
  registerEdsCluster(registry);
  registerOriginalDst(registry);
  registerPolicies(registry);
  registerTransports(registry);
}

} // namespace culvert::upstream
