// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/server/options.h"

namespace culvert::registry {
class Registry;
}

namespace culvert::server {

// The first lines of the log (envoy-compat C.2): what starts, what it was built with, and what of
// the command line has no effect. Threads: main.
void logStart(const Options& options, const registry::Registry& registry);

} // namespace culvert::server
