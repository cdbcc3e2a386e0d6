// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/original_dst_factory.h"

#include <utility>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/clusters/original_dst/v3/original_dst.pb.h"
#include "google/protobuf/empty.pb.h"
#include "source/base/proto.h"
#include "source/upstream/endpoint_proto.h"
#include "source/upstream/factories.h"
#include "source/upstream/named_factory.h"
#include "source/upstream/original_dst.h"

namespace culvert::upstream {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::extensions::clusters::original_dst::v3::OriginalDstCluster;
using google::protobuf::Message;

// What OriginalDstLbConfig and OriginalDstCluster have in common.
template <class Proto> OriginalDstConfig parse(const Cluster& cluster, const Proto& proto) {
  OriginalDstConfig config;
  if (cluster.has_cleanup_interval()) {
    config.cleanup_interval = base::toDuration(cluster.cleanup_interval());
  }
  if (proto.has_upstream_port_override()) {
    config.port = static_cast<uint16_t>(proto.upstream_port_override().value());
  }
  config.metadata_filter = proto.metadata_key().key();
  for (const auto& segment : proto.metadata_key().path()) {
    config.metadata_path.push_back(segment.key());
  }
  return config;
}

absl::Status use(OriginalDstConfig own, ClusterConfig& config) {
  if (!config.endpoints.empty()) {
    return errorAt("load_assignment",
                   "ORIGINAL_DST clusters must have no load assignment configured");
  }
  config.make_hosts = [own = std::move(own)](HostSourceContext& context) {
    return makeOriginalDst(context, own);
  };
  return absl::OkStatus();
}

// ORIGINAL_DST of Cluster.type.
class TypeFactory final : public ClusterFactory {
public:
  std::string type() const override { return "envoy.config.cluster.v3.Cluster.ORIGINAL_DST"; }
  std::string name() const override { return "envoy.cluster.original_dst"; }
  std::unique_ptr<Message> newConfig() const override {
    return std::make_unique<google::protobuf::Empty>();
  }
  bool choosesHosts() const override { return true; }
  absl::Status configure(const Cluster& proto, const Message*,
                         ClusterConfig& config) const override {
    return use(parse(proto, proto.original_dst_lb_config()), config);
  }
};

// envoy.clusters.original_dst of Cluster.cluster_type.
class OriginalDstFactory final : public Named<ClusterFactory, OriginalDstCluster> {
public:
  using Named::Named;

  bool choosesHosts() const override { return true; }
  absl::Status configure(const Cluster& proto, const Message* own,
                         ClusterConfig& config) const override {
    return use(parse(proto, static_cast<const OriginalDstCluster&>(*own)), config);
  }
};

} // namespace

void registerOriginalDst(registry::Registry& registry) {
  registry.add(registry::Category::kCluster, std::make_unique<TypeFactory>());
  registry.add(registry::Category::kCluster,
               std::make_unique<OriginalDstFactory>("envoy.clusters.original_dst"));
}

} // namespace culvert::upstream
