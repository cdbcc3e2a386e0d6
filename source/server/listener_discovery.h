// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "source/config/subscription.h"
#include "source/filter_api/factory.h"
#include "source/server/listener_manager.h"
#include "source/server/subscriptions.h"

namespace envoy::config::listener::v3 {
class Listener;
}

namespace culvert::server {

// LDS: keeps the listeners that do not come from the bootstrap as the source has them. Statistics
// listener_manager.lds.*.
// Threads: main. Lifetime: within that of what it is given.
class ListenerDiscovery final : private config::Subscriber {
public:
  // A listener whose last update was refused.
  struct Refused {
    std::shared_ptr<const google::protobuf::Message> listener;
    std::string details;
    base::WallTime at;
  };

  ListenerDiscovery(ListenerManager& listeners, FactoryContext& context,
                    Subscriptions& subscriptions, stats::Scope& root);

  // Errors: begin with a field of `source`.
  absl::Status open(const envoy::config::core::v3::ConfigSource& source);
  // Calls back once the first answer has been dealt with, good or bad.
  void start(std::function<void()> answered) { subscription_->start(std::move(answered)); }

  // Of the last update that was taken.
  const std::string& version() const { return version_; }
  const std::map<std::string, Refused>& refused() const { return refused_; }

private:
  void onUpdate(const envoy::service::discovery::v3::DiscoveryResponse& response,
                config::Problems& problems) override;
  std::optional<ListenerConfig>
  read(const std::shared_ptr<const envoy::config::listener::v3::Listener>& proto, int i,
       std::set<std::string>& names, config::Problems& problems);
  void take(ListenerConfig config, int i, config::Problems& problems);
  void refuse(const std::shared_ptr<const envoy::config::listener::v3::Listener>& proto,
              const config::Problems& problems);
  void removeOthers(const std::set<std::string>& names);

  ListenerManager& listeners_;
  FactoryContext& context_;
  Subscriptions& subscriptions_;
  const std::unique_ptr<stats::Scope> scope_;
  config::SubscriptionStats stats_;
  std::unique_ptr<config::Subscription> subscription_;
  std::set<std::string> names_; // Of the listeners that are there by this.
  std::map<std::string, Refused> refused_;
  std::string version_;
};

} // namespace culvert::server
