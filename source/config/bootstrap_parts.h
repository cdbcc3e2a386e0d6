// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "source/base/clock.h"
#include "source/config/problems.h"
#include "source/runtime/loader.h"
#include "source/stats/store_config.h"

namespace envoy::config::bootstrap::v3 {
class Bootstrap;
}

namespace envoy::type::matcher::v3 {
class StringMatcher;
}

namespace culvert::config {

// The parts of a checked Bootstrap message as the plain values that lower rooms take.
// Threads: main.

// Errors: a regex that cannot be compiled, a tag name without built-in rules: in `problems`.
stats::StoreConfig readStatsConfig(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                                   Problems& problems);
// Errors: a list, a null or a fraction that is none.
runtime::Config readRuntime(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                            Problems& problems);
// application_log_config as a pattern of the log; empty when the file says nothing. Errors: the
// command line has one too; a flag that would break the JSON.
std::string readLogFormat(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                          bool command_line_has_one, Problems& problems);

stats::StringMatch readMatch(const envoy::type::matcher::v3::StringMatcher& proto);

} // namespace culvert::config
