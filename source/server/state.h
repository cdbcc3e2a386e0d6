// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace culvert::server {

// Where the server is in its life; the numbers are those of the gauge server.state
// (envoy-compat D.4).
enum class State : uint8_t {
  kLive = 0,
  kDraining = 1,        // Live, but said to be unhealthy: /healthcheck/fail.
  kPreInitializing = 2, // Until every cluster has been initialized once.
  kInitializing = 3,    // Until every listener may serve.
};

// "PRE_INITIALIZING"
absl::string_view name(State state);

} // namespace culvert::server
