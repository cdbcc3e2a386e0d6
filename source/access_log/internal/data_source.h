// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace envoy::config::core::v3 {
class DataSource;
}

namespace culvert::access_log::internal {

// The text itself, or that of a file or of an environment variable, read now.
// Threads: main.
absl::StatusOr<std::string> readDataSource(const envoy::config::core::v3::DataSource& source);

} // namespace culvert::access_log::internal
