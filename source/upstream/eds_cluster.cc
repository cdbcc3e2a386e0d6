// SPDX-License-Identifier: Apache-2.0
// EDS: clusters whose endpoints come from a source of configuration.
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "google/protobuf/empty.pb.h"
#include "source/base/log.h"
#include "source/upstream/eds_cluster.h"
#include "source/upstream/endpoint_proto.h"
#include "source/upstream/factories.h"
#include "source/upstream/host_source.h"

namespace culvert::upstream {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::core::v3::ConfigSource;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using google::protobuf::Message;

class EdsHosts final : public HostSource, private EndpointSubscriber {
public:
  EdsHosts(HostSourceContext& context, const ConfigSource& source, std::string name)
      : context_(context), source_(source), name_(std::move(name)) {}

  void start() override {
    auto subscription = context_.discover(source_, name_, *this);
    if (!subscription.ok()) {
      LOG(warning, upstream, "cluster '%s' cannot follow its endpoints: eds_config.%s",
          context_.config().name, std::string(subscription.status().message()));
      context_.setInitialized();
      return;
    }
    subscription_ = *std::move(subscription);
    subscription_->start([this] {
      if (!has_assignment_) {
        context_.setNothingYet();
      }
    });
  }

private:
  absl::Status onAssignment(const ClusterLoadAssignment& proto) override {
    auto endpoints = parseEndpoints(proto, /*resolve=*/false);
    if (!endpoints.ok()) {
      return endpoints.status();
    }
    Assignment assignment{*std::move(endpoints)};
    if (proto.policy().has_overprovisioning_factor()) {
      assignment.overprovisioning_percent = proto.policy().overprovisioning_factor().value();
    }
    assignment.weighted_priority_health = proto.policy().weighted_priority_health();
    if (!context_.setAssignment(assignment)) {
      context_.stats().update_no_rebuild.add();
    }
    has_assignment_ = true;
    context_.setInitialized();
    return absl::OkStatus();
  }
  void onNoAssignment() override { context_.stats().update_empty.add(); }

  HostSourceContext& context_;
  const ConfigSource source_;
  const std::string name_;
  std::unique_ptr<EndpointSubscription> subscription_;
  bool has_assignment_ = false;
};

class EdsFactory final : public ClusterFactory {
public:
  std::string type() const override { return "envoy.config.cluster.v3.Cluster.EDS"; }
  std::string name() const override { return "envoy.cluster.eds"; }
  std::unique_ptr<Message> newConfig() const override {
    return std::make_unique<google::protobuf::Empty>();
  }
  absl::Status configure(const Cluster& cluster, const Message*,
                         ClusterConfig& config) const override {
    const Cluster::EdsClusterConfig& eds = cluster.eds_cluster_config();
    if (!eds.has_eds_config()) {
      return errorAt("eds_cluster_config.eds_config",
                     "cannot create an EDS cluster without an EDS config");
    }
    if (eds.eds_config().has_path_config_source()) {
      const std::string& path = eds.eds_config().path_config_source().path();
      if (::access(path.c_str(), F_OK) != 0) {
        return errorAt("eds_cluster_config.eds_config.path_config_source.path",
                       absl::StrCat("paths must refer to an existing path in the system: '", path,
                                    "' does not exist"));
      }
    }
    const std::string& name = eds.service_name().empty() ? cluster.name() : eds.service_name();
    config.make_hosts = [source = eds.eds_config(), name](HostSourceContext& context) {
      return std::make_unique<EdsHosts>(context, source, name);
    };
    return absl::OkStatus();
  }
};

} // namespace

void registerEdsCluster(registry::Registry& registry) {
  registry.add(registry::Category::kCluster, std::make_unique<EdsFactory>());
}

} // namespace culvert::upstream
