// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/statusor.h"
#include "source/upstream/health_check.h"

namespace envoy::config::core::v3 {
class HealthCheck;
}

namespace culvert::upstream {

// A health check's message as plain values with all defaults applied; it was checked before.
// Threads: main. Errors: InvalidArgument that begins with the path of the field inside the message.
absl::StatusOr<HealthCheckConfig>
parseHealthCheck(const envoy::config::core::v3::HealthCheck& proto);

} // namespace culvert::upstream
