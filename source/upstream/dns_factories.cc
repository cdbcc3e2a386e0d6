// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/dns_factories.h"

#include <utility>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/clusters/dns/v3/dns_cluster.pb.h"
#include "google/protobuf/empty.pb.h"
#include "source/base/proto.h"
#include "source/upstream/dns_cluster.h"
#include "source/upstream/factories.h"

namespace culvert::upstream {
namespace {

namespace dns = envoy::extensions::clusters;
using envoy::config::cluster::v3::Cluster;
using google::protobuf::Message;
using registry::Category;

constexpr int kBackoffMaxFactor = 10; // max_interval, where only a base_interval is given.

net::DnsFamily familyOf(Cluster::DnsLookupFamily family) {
  switch (family) {
  case Cluster::V4_ONLY:
    return net::DnsFamily::kV4Only;
  case Cluster::V6_ONLY:
    return net::DnsFamily::kV6Only;
  case Cluster::V4_PREFERRED:
    return net::DnsFamily::kV4Preferred;
  case Cluster::ALL:
    return net::DnsFamily::kAll;
  default:
    return net::DnsFamily::kAuto;
  }
}

net::DnsFamily familyOf(dns::common::dns::v3::DnsLookupFamily family) {
  switch (family) {
  case dns::common::dns::v3::V4_ONLY:
    return net::DnsFamily::kV4Only;
  case dns::common::dns::v3::V6_ONLY:
    return net::DnsFamily::kV6Only;
  case dns::common::dns::v3::V4_PREFERRED:
    return net::DnsFamily::kV4Preferred;
  case dns::common::dns::v3::ALL:
    return net::DnsFamily::kAll;
  default:
    return net::DnsFamily::kAuto;
  }
}

// The fields that Cluster and DnsCluster have in common. Errors: begin with the field's path.
template <class Proto> absl::StatusOr<DnsConfig> parse(const Proto& proto) {
  DnsConfig config;
  config.family = familyOf(proto.dns_lookup_family());
  config.respect_ttl = proto.respect_dns_ttl();
  config.jitter = base::toDuration(proto.dns_jitter());
  if (proto.has_dns_refresh_rate()) {
    config.refresh_rate = base::toDuration(proto.dns_refresh_rate());
  }
  if (proto.has_dns_failure_refresh_rate()) {
    const auto& rate = proto.dns_failure_refresh_rate();
    const base::Duration base = base::toDuration(rate.base_interval());
    const base::Duration max =
        rate.has_max_interval() ? base::toDuration(rate.max_interval()) : base * kBackoffMaxFactor;
    if (max < base) {
      return absl::InvalidArgumentError(
          "dns_failure_refresh_rate.max_interval: dns_failure_refresh_rate must have max_interval "
          "greater than or equal to the base_interval");
    }
    config.failure_refresh = DnsConfig::Backoff{base, max};
  }
  return config;
}

absl::Status useStrictDns(const DnsConfig& dns, ClusterConfig& config) {
  config.make_hosts = [dns](HostSourceContext& context) { return makeStrictDns(context, dns); };
  return absl::OkStatus();
}

absl::Status useLogicalDns(const DnsConfig& dns, ClusterConfig& config) {
  if (config.endpoints.empty()) {
    return absl::InvalidArgumentError(
        "load_assignment: LOGICAL_DNS clusters must have a single host");
  }
  if (config.endpoints.size() != 1 || config.endpoints.front().endpoints.size() != 1) {
    return absl::InvalidArgumentError(
        "load_assignment.endpoints: LOGICAL_DNS clusters must have a single locality_lb_endpoint "
        "and a single lb_endpoint");
  }
  config.make_hosts = [dns](HostSourceContext& context) { return makeLogicalDns(context, dns); };
  return absl::OkStatus();
}

// STRICT_DNS and LOGICAL_DNS of Cluster.type.
class TypeFactory final : public ClusterFactory {
public:
  TypeFactory(const char* type, const char* name, bool logical)
      : type_(type), name_(name), logical_(logical) {}

  std::string type() const override { return type_; }
  std::string name() const override { return name_; }
  std::unique_ptr<Message> newConfig() const override {
    return std::make_unique<google::protobuf::Empty>();
  }
  bool resolvesNames() const override { return true; }
  absl::Status configure(const Cluster& cluster, const Message*,
                         ClusterConfig& config) const override {
    const absl::StatusOr<DnsConfig> dns = parse(cluster);
    if (!dns.ok()) {
      return dns.status();
    }
    return logical_ ? useLogicalDns(*dns, config) : useStrictDns(*dns, config);
  }

private:
  const char* const type_;
  const char* const name_;
  const bool logical_;
};

// envoy.clusters.dns of Cluster.cluster_type.
class DnsClusterFactory final : public ClusterFactory {
public:
  using Proto = dns::dns::v3::DnsCluster;

  std::string type() const override { return std::string(Proto::descriptor()->full_name()); }
  std::string name() const override { return "envoy.clusters.dns"; }
  std::vector<std::string> aliases() const override { return {"envoy.cluster.dns"}; }
  std::unique_ptr<Message> newConfig() const override { return std::make_unique<Proto>(); }
  bool resolvesNames() const override { return true; }
  absl::Status configure(const Cluster&, const Message* own, ClusterConfig& config) const override {
    const auto& proto = static_cast<const Proto&>(*own);
    absl::StatusOr<DnsConfig> dns = parse(proto);
    if (!dns.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("cluster_type.typed_config.", dns.status().message()));
    }
    dns->min_refresh_rate = base::toDuration(proto.dns_min_refresh_rate());
    return proto.all_addresses_in_single_endpoint() ? useLogicalDns(*dns, config)
                                                    : useStrictDns(*dns, config);
  }
};

} // namespace

void registerDnsClusters(registry::Registry& registry) {
  registry.add(Category::kCluster,
               std::make_unique<TypeFactory>("envoy.config.cluster.v3.Cluster.STRICT_DNS",
                                             "envoy.cluster.strict_dns", false));
  registry.add(Category::kCluster,
               std::make_unique<TypeFactory>("envoy.config.cluster.v3.Cluster.LOGICAL_DNS",
                                             "envoy.cluster.logical_dns", true));
  registry.add(Category::kCluster, std::make_unique<DnsClusterFactory>());
}

} // namespace culvert::upstream
