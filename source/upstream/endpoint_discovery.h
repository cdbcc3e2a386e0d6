// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace envoy::config::core::v3 {
class ConfigSource;
}
namespace envoy::config::endpoint::v3 {
class ClusterLoadAssignment;
}
namespace culvert::stats {
class Scope;
}

namespace culvert::upstream {

// A cluster that follows its endpoints. Threads: main.
class EndpointSubscriber {
public:
  // Errors: begin with the path of the field in `assignment`; the endpoints stay as they were.
  virtual absl::Status
  onAssignment(const envoy::config::endpoint::v3::ClusterLoadAssignment& assignment) = 0;
  // What came has nothing about this cluster. The endpoints stay as they are.
  virtual void onNoAssignment() = 0;

protected:
  ~EndpointSubscriber() = default;
};

// Goes on until it is destroyed. Threads: main.
class EndpointSubscription {
public:
  virtual ~EndpointSubscription() = default;
  // Calls `answered` once the first attempt has been dealt with, well or badly; perhaps before it
  // returns.
  virtual void start(std::function<void()> answered) = 0;
};

// The endpoint discovery service, as whoever knows its sources offers it: follows what is said of
// `name`, counted in `scope`. Errors: begin with a field of the ConfigSource.
using EndpointDiscovery = std::function<absl::StatusOr<std::unique_ptr<EndpointSubscription>>(
    const envoy::config::core::v3::ConfigSource& source, const std::string& name,
    stats::Scope& scope, EndpointSubscriber& subscriber)>;

} // namespace culvert::upstream
