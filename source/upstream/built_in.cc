// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/load_balancing_policies/least_request/v3/least_request.pb.h"
#include "envoy/extensions/load_balancing_policies/random/v3/random.pb.h"
#include "envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.pb.h"
#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "google/protobuf/empty.pb.h"
#include "source/upstream/dns_factories.h"
#include "source/upstream/factories.h"
#include "source/upstream/policies.h"
#include "source/upstream/transport_socket.h"

namespace culvert::upstream {
namespace {

namespace policies = envoy::extensions::load_balancing_policies;
using envoy::config::cluster::v3::Cluster;
using google::protobuf::Message;
using registry::Category;

// The parts of a factory that follow from its message and name.
template <class Base, class Proto> class Named : public Base {
public:
  explicit Named(const char* name) : name_(name) {}
  std::string type() const override { return std::string(Proto::descriptor()->full_name()); }
  std::string name() const override { return name_; }
  std::unique_ptr<Message> newConfig() const override { return std::make_unique<Proto>(); }

private:
  const char* const name_;
};

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

class RoundRobinFactory final
    : public Named<LoadBalancerFactory, policies::round_robin::v3::RoundRobin> {
public:
  using Named::Named;
  absl::StatusOr<PolicyMaker> create(const Message&) const override { return &makeRoundRobin; }
};

class RandomFactory final : public Named<LoadBalancerFactory, policies::random::v3::Random> {
public:
  using Named::Named;
  absl::StatusOr<PolicyMaker> create(const Message&) const override { return &makeRandom; }
};

class LeastRequestFactory final
    : public Named<LoadBalancerFactory, policies::least_request::v3::LeastRequest> {
public:
  using Named::Named;
  using Proto = policies::least_request::v3::LeastRequest;

  absl::StatusOr<PolicyMaker> create(const Message& message) const override {
    const auto& proto = static_cast<const Proto&>(message);
    LeastRequestConfig config;
    if (proto.has_choice_count()) {
      config.choice_count = proto.choice_count().value();
    }
    if (proto.has_active_request_bias()) {
      config.active_request_bias = proto.active_request_bias().default_value();
    }
    config.full_scan =
        proto.selection_method() == Proto::FULL_SCAN || proto.enable_full_scan().value();
    return [config](uint64_t seed) { return makeLeastRequest(config, seed); };
  }

  void takeOver(const Cluster& cluster, Message& message) const override {
    auto& proto = static_cast<Proto&>(message);
    const Cluster::LeastRequestLbConfig& old = cluster.least_request_lb_config();
    if (old.has_choice_count()) {
      *proto.mutable_choice_count() = old.choice_count();
    }
    if (old.has_active_request_bias()) {
      *proto.mutable_active_request_bias() = old.active_request_bias();
    }
  }
};

class RawTransportFactory final
    : public Named<UpstreamTransportFactory,
                   envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer> {
public:
  using Named::Named;
  std::vector<std::string> aliases() const override { return {"raw_buffer"}; }
  absl::StatusOr<std::shared_ptr<TransportSocketFactory>> create(const Message&) const override {
    return makeRawTransport();
  }
};

} // namespace

void registerBuiltIn(registry::Registry& registry) {
  registry.add(Category::kCluster, std::make_unique<StaticFactory>());
  registerDnsClusters(registry);
  registry.add(Category::kLoadBalancer,
               std::make_unique<RoundRobinFactory>("envoy.load_balancing_policies.round_robin"));
  registry.add(Category::kLoadBalancer, std::make_unique<LeastRequestFactory>(
                                            "envoy.load_balancing_policies.least_request"));
  registry.add(Category::kLoadBalancer,
               std::make_unique<RandomFactory>("envoy.load_balancing_policies.random"));
  registry.add(Category::kTransportSocketOut,
               std::make_unique<RawTransportFactory>("envoy.transport_sockets.raw_buffer"));
}

} // namespace culvert::upstream
