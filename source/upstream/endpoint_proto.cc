// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/endpoint_proto.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/config/core/v3/address.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "source/access_log/metadata_proto.h"

namespace culvert::upstream {
namespace {

namespace core = envoy::config::core::v3;
namespace endpoint = envoy::config::endpoint::v3;

constexpr absl::string_view kResolveHint =
    ". Consider setting resolver_name or setting cluster type to 'STRICT_DNS' or 'LOGICAL_DNS'";

EndpointHealth healthOf(core::HealthStatus status) {
  switch (status) {
  case core::HEALTHY:
    return EndpointHealth::kHealthy;
  case core::UNHEALTHY:
    return EndpointHealth::kUnhealthy;
  case core::DRAINING:
    return EndpointHealth::kDraining;
  case core::TIMEOUT:
    return EndpointHealth::kTimeout;
  case core::DEGRADED:
    return EndpointHealth::kDegraded;
  default:
    return EndpointHealth::kUnknown;
  }
}

// What the metadata has of `name` for load balancers; nothing is an empty value.
const google::protobuf::Value& lbValue(const core::Metadata& metadata, const char* name) {
  const auto filter = metadata.filter_metadata().find("envoy.lb");
  if (filter == metadata.filter_metadata().end()) {
    return google::protobuf::Value::default_instance();
  }
  const auto field = filter->second.fields().find(name);
  return field == filter->second.fields().end() ? google::protobuf::Value::default_instance()
                                                : field->second;
}

absl::Status parseName(const core::Address& proto, EndpointConfig& config) {
  const core::SocketAddress& socket = proto.socket_address();
  if (!socket.resolver_name().empty()) {
    return errorAt("socket_address.resolver_name",
                   "STRICT_DNS clusters must NOT have a custom resolver name set");
  }
  if (socket.ipv4_compat()) {
    return errorAt("socket_address.ipv4_compat", "names become addresses of their family");
  }
  config.dns_name = socket.address();
  config.port = static_cast<uint16_t>(socket.port_value());
  return absl::OkStatus();
}

absl::Status parseHealthTarget(const endpoint::Endpoint::HealthCheckConfig& proto,
                               EndpointConfig& config) {
  HealthCheckTarget target;
  target.port = static_cast<uint16_t>(proto.port_value());
  target.hostname = proto.hostname();
  target.disabled = proto.disable_active_health_check();
  if (proto.has_address()) {
    absl::StatusOr<net::Address> address = parseAddress(proto.address());
    if (!address.ok()) {
      return base::errorWithin("endpoint.health_check_config.address", address.status());
    }
    target.address = target.port > 0 ? address->withPort(target.port) : *address;
  }
  config.health_target = std::make_shared<HealthCheckTarget>(std::move(target));
  return absl::OkStatus();
}

// Of a name, DNS knows all addresses.
absl::Status parseMoreAddresses(const endpoint::Endpoint& proto, bool resolve,
                                EndpointConfig& config) {
  if (resolve && !proto.additional_addresses().empty()) {
    return errorAt("endpoint.additional_addresses",
                   "not supported by Culvert: what DNS answers is all that a name stands for");
  }
  for (int i = 0; i < proto.additional_addresses_size(); ++i) {
    absl::StatusOr<net::Address> address =
        parseAddress(proto.additional_addresses(i).address(), kResolveHint);
    if (!address.ok()) {
      return base::errorWithin(absl::StrCat("endpoint.additional_addresses[", i, "].address"),
                               address.status());
    }
    config.more_addresses.push_back(*std::move(address));
  }
  return absl::OkStatus();
}

absl::StatusOr<EndpointConfig> parseEndpoint(const endpoint::LbEndpoint& proto, bool resolve) {
  EndpointConfig config;
  const core::Address& address = proto.endpoint().address();
  if (resolve && address.has_socket_address()) {
    const absl::Status status = parseName(address, config);
    if (!status.ok()) {
      return base::errorWithin("endpoint.address", status);
    }
  } else {
    absl::StatusOr<net::Address> parsed = parseAddress(address, kResolveHint);
    if (!parsed.ok()) {
      return base::errorWithin("endpoint.address", parsed.status());
    }
    config.address = *std::move(parsed);
  }
  if (const absl::Status status = parseMoreAddresses(proto.endpoint(), resolve, config);
      !status.ok()) {
    return status;
  }
  if (proto.endpoint().has_health_check_config()) {
    const absl::Status status = parseHealthTarget(proto.endpoint().health_check_config(), config);
    if (!status.ok()) {
      return status;
    }
  }
  config.hostname = proto.endpoint().hostname();
  config.endpoint_id = address.envoy_internal_address().endpoint_id();
  config.health = healthOf(proto.health_status());
  config.weight =
      proto.has_load_balancing_weight() ? proto.load_balancing_weight().value() : config.weight;
  if (proto.has_metadata()) {
    config.canary = lbValue(proto.metadata(), "canary").bool_value(); // Only shown, in /clusters.
    config.hash_key = lbValue(proto.metadata(), "hash_key").string_value();
    config.metadata = std::make_shared<core::Metadata>(proto.metadata());
    config.log_metadata = access_log::toMetadata(proto.metadata());
  }
  return config;
}

} // namespace

absl::StatusOr<net::Address> parseAddress(const core::Address& proto, absl::string_view hint) {
  if (proto.has_pipe()) {
    absl::StatusOr<net::Address> pipe = net::Address::pipe(proto.pipe().path());
    return pipe.ok() ? pipe : errorAt("pipe.path", pipe.status().message());
  }
  if (proto.has_envoy_internal_address()) {
    const core::EnvoyInternalAddress& internal = proto.envoy_internal_address();
    return net::Address::internal(internal.server_listener_name(), internal.endpoint_id());
  }
  if (!proto.has_socket_address()) {
    return errorAt("socket_address", absl::StrCat("Address must be set", hint));
  }
  const core::SocketAddress& socket = proto.socket_address();
  if (!socket.named_port().empty()) {
    return errorAt("socket_address.named_port",
                   absl::StrCat("IP resolver can't handle port specifier type 4", hint));
  }
  absl::StatusOr<net::Address> ip =
      net::Address::parseIp(socket.address(), static_cast<uint16_t>(socket.port_value()));
  if (!ip.ok()) {
    return errorAt("socket_address.address", absl::StrCat(ip.status().message(), hint));
  }
  if (socket.ipv4_compat()) {
    ip = ip->withIpv4();
    return ip.ok() ? ip : errorAt("socket_address.ipv4_compat", ip.status().message());
  }
  return ip;
}

absl::StatusOr<std::vector<LocalityConfig>>
parseEndpoints(const endpoint::ClusterLoadAssignment& proto, bool resolve) {
  std::vector<LocalityConfig> localities;
  for (int i = 0; i < proto.endpoints_size(); ++i) {
    const endpoint::LocalityLbEndpoints& group = proto.endpoints(i);
    LocalityConfig& locality = localities.emplace_back();
    locality.locality = {group.locality().region(), group.locality().zone(),
                         group.locality().sub_zone()};
    locality.priority = group.priority();
    if (group.has_load_balancing_weight()) {
      locality.weight = group.load_balancing_weight().value();
    }
    for (int j = 0; j < group.lb_endpoints_size(); ++j) {
      absl::StatusOr<EndpointConfig> parsed = parseEndpoint(group.lb_endpoints(j), resolve);
      if (!parsed.ok()) {
        return base::errorWithin(absl::StrCat("endpoints[", i, "].lb_endpoints[", j, "]"),
                                 parsed.status());
      }
      locality.endpoints.push_back(*std::move(parsed));
    }
  }
  return localities;
}

} // namespace culvert::upstream
