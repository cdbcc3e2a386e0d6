// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/statusor.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "source/upstream/subset_config.h"

namespace culvert::upstream {

// Errors: begin with the path of the field inside the message. Threads: main.
absl::StatusOr<SubsetConfig>
parseSubsets(const envoy::config::cluster::v3::Cluster::LbSubsetConfig& proto);

} // namespace culvert::upstream
