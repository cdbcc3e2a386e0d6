// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "source/server/subscriptions.h"

namespace culvert::server {

// EDS for one cluster: of all assignments that come, the one of `name`. Threads: main.
// Errors: begin with a field of `source`.
absl::StatusOr<std::unique_ptr<upstream::EndpointSubscription>>
subscribeToEndpoints(Subscriptions& subscriptions,
                     const envoy::config::core::v3::ConfigSource& source, const std::string& name,
                     stats::Scope& scope, upstream::EndpointSubscriber& subscriber);

} // namespace culvert::server
