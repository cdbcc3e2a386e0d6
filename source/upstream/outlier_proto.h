// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/statusor.h"
#include "source/upstream/outlier.h"

namespace envoy::config::cluster::v3 {
class OutlierDetection;
}

namespace culvert::upstream {

// Outlier detection's message as plain values with all defaults applied; it was checked before.
// Threads: main. Errors: InvalidArgument that begins with the path of the field inside the message.
absl::StatusOr<OutlierConfig>
parseOutlier(const envoy::config::cluster::v3::OutlierDetection& proto);

} // namespace culvert::upstream
