// SPDX-License-Identifier: Apache-2.0
#include "source/server/endpoint_discovery.h"

#include <utility>

#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

namespace culvert::server {
namespace {

using config::Problems;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using envoy::service::discovery::v3::DiscoveryResponse;

class ClusterEndpoints final : public upstream::EndpointSubscription, private config::Subscriber {
public:
  ClusterEndpoints(std::string name, const std::vector<config::Extension>& extensions,
                   stats::Scope& scope, upstream::EndpointSubscriber& subscriber)
      : name_(std::move(name)), extensions_(extensions), stats_(scope), subscriber_(subscriber) {}

  absl::Status open(Subscriptions& subscriptions,
                    const envoy::config::core::v3::ConfigSource& source) {
    auto made = subscriptions.subscribe(source, stats_, *this);
    if (made.ok()) {
      subscription_ = *std::move(made);
    }
    return made.status();
  }
  void start(std::function<void()> answered) override { subscription_->start(std::move(answered)); }

private:
  // The assignments of other clusters are for their subscriptions to judge.
  void onUpdate(const DiscoveryResponse& response, Problems& problems) override {
    for (int i = 0; i < response.resources_size(); i++) {
      ClusterLoadAssignment assignment;
      if (response.resources(i).UnpackTo(&assignment) && assignment.cluster_name() != name_) {
        continue;
      }
      if (config::takeResource(response, i, extensions_, assignment, problems)) {
        const absl::Status status = subscriber_.onAssignment(assignment);
        if (!status.ok()) {
          problems.errorFrom(status, config::resourcePath(i));
        }
      }
      return;
    }
    subscriber_.onNoAssignment();
  }

  const std::string name_;
  const std::vector<config::Extension>& extensions_;
  config::SubscriptionStats stats_;
  upstream::EndpointSubscriber& subscriber_;
  std::unique_ptr<config::Subscription> subscription_;
};

} // namespace

absl::StatusOr<std::unique_ptr<upstream::EndpointSubscription>>
subscribeToEndpoints(Subscriptions& subscriptions,
                     const envoy::config::core::v3::ConfigSource& source, const std::string& name,
                     stats::Scope& scope, upstream::EndpointSubscriber& subscriber) {
  auto made =
      std::make_unique<ClusterEndpoints>(name, subscriptions.extensions(), scope, subscriber);
  if (absl::Status status = made->open(subscriptions, source); !status.ok()) {
    return status;
  }
  return made;
}

} // namespace culvert::server
