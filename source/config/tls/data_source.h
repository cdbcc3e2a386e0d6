// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "source/tls/config.h"

namespace envoy::config::core::v3 {
class DataSource;
}

namespace culvert::config::tls {

// The text itself, or that of a file or of an environment variable, read now, with its name.
// Threads: main. Errors: behind `path`, that there is no such file or variable, or nothing in it.
absl::StatusOr<culvert::tls::Source> readSource(const envoy::config::core::v3::DataSource& source,
                                                const std::string& path);
// Without text where that is an error.
culvert::tls::Source readSourceOrEmpty(const envoy::config::core::v3::DataSource& source);

} // namespace culvert::config::tls
