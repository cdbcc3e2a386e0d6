// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "source/config/problems.h"
#include "source/server/stats_sink.h"

namespace envoy::config::bootstrap::v3 {
class Bootstrap;
}

namespace culvert::server {

// stats_sinks as plain values. Of other kinds
// config::check() has said that they are not. Threads: main. Errors: in `problems`.
std::vector<StatsSinkConfig>
readStatsSinks(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
               config::Problems& problems);

} // namespace culvert::server
