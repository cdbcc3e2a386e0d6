// SPDX-License-Identifier: Apache-2.0
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "google/protobuf/empty.pb.h"
#include "source/upstream/dns_factories.h"
#include "source/upstream/eds_cluster.h"
#include "source/upstream/factories.h"
#include "source/upstream/named_factory.h"
#include "source/upstream/policy_factories.h"
#include "source/upstream/transport_socket.h"

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

class RawTransportFactory final
    : public Named<UpstreamTransportFactory,
                   envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer> {
public:
  using Named::Named;
  std::vector<std::string> aliases() const override { return {"raw_buffer"}; }
  absl::StatusOr<std::shared_ptr<TransportSocketFactory>>
  create(const Message&, const TransportContext&) const override {
    return makeRawTransport();
  }
};

} // namespace

void registerBuiltIn(registry::Registry& registry) {
  registry.add(Category::kCluster, std::make_unique<StaticFactory>());
  registerDnsClusters(registry);
  registerEdsCluster(registry);
  registerPolicies(registry);
  registry.add(Category::kTransportSocketOut,
               std::make_unique<RawTransportFactory>("envoy.transport_sockets.raw_buffer"));
}

} // namespace culvert::upstream
