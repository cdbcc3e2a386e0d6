// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/policy_factories.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/load_balancing_policies/least_request/v3/least_request.pb.h"
#include "envoy/extensions/load_balancing_policies/maglev/v3/maglev.pb.h"
#include "envoy/extensions/load_balancing_policies/random/v3/random.pb.h"
#include "envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash.pb.h"
#include "envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.pb.h"
#include "source/base/proto.h"
#include "source/upstream/endpoint_proto.h"
#include "source/upstream/factories.h"
#include "source/upstream/hash_policies.h"
#include "source/upstream/named_factory.h"
#include "source/upstream/policies.h"

namespace culvert::upstream {
namespace {

namespace policies = envoy::extensions::load_balancing_policies;
using envoy::config::cluster::v3::Cluster;
using google::protobuf::Message;

bool isLocalityWeighted(const Cluster& cluster) {
  return cluster.common_lb_config().has_locality_weighted_lb_config();
}

// For policies whose message has locality_lb_config.
template <class Proto> void takeOverLocalities(const Cluster& cluster, Proto& proto) {
  if (isLocalityWeighted(cluster)) {
    proto.mutable_locality_lb_config()->mutable_locality_weighted_lb_config();
  }
}
template <class Proto> bool localitiesOf(const Proto& proto) {
  return proto.locality_lb_config().has_locality_weighted_lb_config();
}

// Of a message that has slow_start_config.
template <class Proto> SlowStartConfig slowStartOf(const Proto& proto) {
  const auto& from = proto.slow_start_config();
  SlowStartConfig config;
  config.window = base::toDuration(from.slow_start_window());
  if (from.has_aggression()) {
    config.aggression = from.aggression().default_value();
  }
  if (from.has_min_weight_percent()) {
    config.min_factor = from.min_weight_percent().value() / 100;
  }
  return config;
}
// From the older message to the newer one; their fields are the same.
template <class Old, class Proto> void takeOverSlowStart(const Old& old, Proto& proto) {
  if (old.has_slow_start_config()) {
    proto.mutable_slow_start_config()->ParseFromString(old.slow_start_config().SerializeAsString());
  }
}

class RoundRobinFactory final
    : public Named<LoadBalancerFactory, policies::round_robin::v3::RoundRobin> {
public:
  using Named::Named;
  using Proto = policies::round_robin::v3::RoundRobin;

  absl::StatusOr<Balancing> create(const Message& message) const override {
    const auto& proto = static_cast<const Proto&>(message);
    const SlowStartConfig slow_start = slowStartOf(proto);
    return Balancing{[slow_start](const PolicyContext& context) {
                       return makeRoundRobin(context.seed, SlowStart(slow_start, context.clock));
                     },
                     localitiesOf(proto)};
  }
  void takeOver(const Cluster& cluster, Message& message) const override {
    auto& proto = static_cast<Proto&>(message);
    takeOverLocalities(cluster, proto);
    takeOverSlowStart(cluster.round_robin_lb_config(), proto);
  }
};

class RandomFactory final : public Named<LoadBalancerFactory, policies::random::v3::Random> {
public:
  using Named::Named;
  using Proto = policies::random::v3::Random;

  absl::StatusOr<Balancing> create(const Message& message) const override {
    return Balancing{[](const PolicyContext& context) { return makeRandom(context.seed); },
                     localitiesOf(static_cast<const Proto&>(message))};
  }
  void takeOver(const Cluster& cluster, Message& message) const override {
    takeOverLocalities(cluster, static_cast<Proto&>(message));
  }
};

class LeastRequestFactory final
    : public Named<LoadBalancerFactory, policies::least_request::v3::LeastRequest> {
public:
  using Named::Named;
  using Proto = policies::least_request::v3::LeastRequest;

  absl::StatusOr<Balancing> create(const Message& message) const override {
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
    const SlowStartConfig slow_start = slowStartOf(proto);
    return Balancing{[config, slow_start](const PolicyContext& context) {
                       LeastRequestConfig own = config;
                       own.slow_start = SlowStart(slow_start, context.clock);
                       return makeLeastRequest(own, context.seed);
                     },
                     localitiesOf(proto)};
  }

  void takeOver(const Cluster& cluster, Message& message) const override {
    auto& proto = static_cast<Proto&>(message);
    takeOverLocalities(cluster, proto);
    const Cluster::LeastRequestLbConfig& old = cluster.least_request_lb_config();
    takeOverSlowStart(old, proto);
    if (old.has_choice_count()) {
      *proto.mutable_choice_count() = old.choice_count();
    }
    if (old.has_active_request_bias()) {
      *proto.mutable_active_request_bias() = old.active_request_bias();
    }
  }
};

// For ring_hash and maglev, which say the rest of common_lb_config in the same words.
template <class Proto> void takeOverHashing(const Cluster& cluster, Proto& proto) {
  const Cluster::CommonLbConfig& common = cluster.common_lb_config();
  if (isLocalityWeighted(cluster)) {
    proto.mutable_locality_weighted_lb_config();
  }
  if (common.has_consistent_hashing_lb_config()) {
    proto.mutable_consistent_hashing_lb_config()->set_use_hostname_for_hashing(
        common.consistent_hashing_lb_config().use_hostname_for_hashing());
  }
}

class RingHashFactory final : public Named<LoadBalancerFactory, policies::ring_hash::v3::RingHash> {
public:
  using Named::Named;
  using Proto = policies::ring_hash::v3::RingHash;

  absl::StatusOr<Balancing> create(const Message& message) const override {
    const auto& proto = static_cast<const Proto&>(message);
    RingHashConfig config;
    if (proto.has_minimum_ring_size()) {
      config.minimum_ring_size = proto.minimum_ring_size().value();
    }
    if (proto.has_maximum_ring_size()) {
      config.maximum_ring_size = proto.maximum_ring_size().value();
    }
    if (config.minimum_ring_size > config.maximum_ring_size) {
      return errorAt("minimum_ring_size",
                     absl::StrCat("ring hash: minimum_ring_size (", config.minimum_ring_size,
                                  ") > maximum_ring_size (", config.maximum_ring_size, ")"));
    }
    config.function = proto.hash_function() == Proto::MURMUR_HASH_2 ? HashFunction::kMurmurHash2
                                                                    : HashFunction::kXxHash;
    config.by_hostname = proto.has_consistent_hashing_lb_config()
                             ? proto.consistent_hashing_lb_config().use_hostname_for_hashing()
                             : proto.use_hostname_for_hashing();
    return Balancing{
        [config](const PolicyContext& context) { return makeRingHash(config, context); },
        proto.has_locality_weighted_lb_config()};
  }

  void takeOver(const Cluster& cluster, Message& message) const override {
    auto& proto = static_cast<Proto&>(message);
    takeOverHashing(cluster, proto);
    const Cluster::RingHashLbConfig& old = cluster.ring_hash_lb_config();
    if (old.has_minimum_ring_size()) {
      *proto.mutable_minimum_ring_size() = old.minimum_ring_size();
    }
    if (old.has_maximum_ring_size()) {
      *proto.mutable_maximum_ring_size() = old.maximum_ring_size();
    }
    proto.set_hash_function(old.hash_function() == Cluster::RingHashLbConfig::MURMUR_HASH_2
                                ? Proto::MURMUR_HASH_2
                                : Proto::XX_HASH);
  }
};

bool isPrime(uint64_t number) {
  for (uint64_t i = 2; i * i <= number; ++i) {
    if (number % i == 0) {
      return false;
    }
  }
  return number >= 2;
}

class MaglevFactory final : public Named<LoadBalancerFactory, policies::maglev::v3::Maglev> {
public:
  using Named::Named;
  using Proto = policies::maglev::v3::Maglev;

  absl::StatusOr<Balancing> create(const Message& message) const override {
    const auto& proto = static_cast<const Proto&>(message);
    MaglevConfig config;
    if (proto.has_table_size()) {
      config.table_size = proto.table_size().value();
    }
    if (!isPrime(config.table_size)) {
      return errorAt("table_size", "The table size of maglev must be prime number");
    }
    config.by_hostname = proto.consistent_hashing_lb_config().use_hostname_for_hashing();
    return Balancing{[config](const PolicyContext& context) { return makeMaglev(config, context); },
                     proto.has_locality_weighted_lb_config()};
  }

  void takeOver(const Cluster& cluster, Message& message) const override {
    auto& proto = static_cast<Proto&>(message);
    takeOverHashing(cluster, proto);
    if (cluster.maglev_lb_config().has_table_size()) {
      *proto.mutable_table_size() = cluster.maglev_lb_config().table_size();
    }
  }
};

template <class Factory> void add(registry::Registry& registry, const char* name) {
  registry.add(registry::Category::kLoadBalancer, std::make_unique<Factory>(name));
}

} // namespace

void registerPolicies(registry::Registry& registry) {
  add<RoundRobinFactory>(registry, "envoy.load_balancing_policies.round_robin");
  add<LeastRequestFactory>(registry, "envoy.load_balancing_policies.least_request");
  add<RandomFactory>(registry, "envoy.load_balancing_policies.random");
  add<RingHashFactory>(registry, "envoy.load_balancing_policies.ring_hash");
  add<MaglevFactory>(registry, "envoy.load_balancing_policies.maglev");
}

} // namespace culvert::upstream
