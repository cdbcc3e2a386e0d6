// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "source/config/file_subscription.h"
#include "source/upstream/endpoint_discovery.h"

namespace envoy::config::core::v3 {
class ConfigSource;
}

namespace culvert::server {

// Where configuration comes from while the server runs: makes the subscription that a ConfigSource
// asks for. Threads: main. Lifetime: outlives the subscriptions.
class Subscriptions {
public:
  Subscriptions(event::Loop& main, config::UnknownFields unknown_fields,
                stats::Counter& dynamic_unknown_fields, std::vector<config::Extension> extensions);

  // Errors: begin with a field of `source`.
  absl::StatusOr<std::unique_ptr<config::Subscription>>
  subscribe(const envoy::config::core::v3::ConfigSource& source, config::SubscriptionStats& stats,
            config::Subscriber& subscriber);

  // The endpoint discovery service of these sources.
  upstream::EndpointDiscovery endpointDiscovery();

  base::WallTime wallNow() const { return files_.clock.wallNow(); }

  // What whoever follows files of his own needs.
  const config::FileSubscriptionContext& files() const { return files_; }
  // What the configuration may name, to check it.
  const std::vector<config::Extension>& extensions() const { return extensions_; }

private:
  const std::vector<config::Extension> extensions_;
  event::FileWatcher watcher_;
  const config::FileSubscriptionContext files_;
};

} // namespace culvert::server
