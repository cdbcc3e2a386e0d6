// SPDX-License-Identifier: Apache-2.0
#include "source/server/subscriptions.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "source/server/endpoint_discovery.h"

namespace culvert::server {

using envoy::config::core::v3::ConfigSource;
using envoy::config::core::v3::PathConfigSource;

Subscriptions::Subscriptions(event::Loop& main, config::UnknownFields unknown_fields,
                             stats::Counter& dynamic_unknown_fields,
                             std::vector<config::Extension> extensions)
    : extensions_(std::move(extensions)), watcher_(main),
      files_{watcher_, main.clock(), unknown_fields, dynamic_unknown_fields} {}

absl::StatusOr<std::unique_ptr<config::Subscription>>
Subscriptions::subscribe(const ConfigSource& source, config::SubscriptionStats& stats,
                         config::Subscriber& subscriber) {
  const bool old_field = source.config_source_specifier_case() == ConfigSource::kPath;
  PathConfigSource path = source.path_config_source();
  if (old_field) {
    path.set_path(source.path());
  }
  auto made = config::FileSubscription::create(path, files_, stats, subscriber);
  if (!made.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(old_field ? "" : "path_config_source.", made.status().message()));
  }
  return *std::move(made);
}

upstream::EndpointDiscovery Subscriptions::endpointDiscovery() {
  return [this](const ConfigSource& source, const std::string& name, stats::Scope& scope,
                upstream::EndpointSubscriber& subscriber) {
    return subscribeToEndpoints(*this, source, name, scope, subscriber);
  };
}

} // namespace culvert::server
