// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/config/problems.h"
#include "source/server/overload.h"

namespace envoy::config::overload::v3 {
class OverloadManager;
}

namespace culvert::server {

// The checked `overload_manager` of a bootstrap as plain values.
// Threads: main. Errors: in `problems`, in Envoy's words: monitors, actions and triggers that are
// not known, an action twice, thresholds in the wrong order.
OverloadConfig readOverload(const envoy::config::overload::v3::OverloadManager& proto,
                            config::Problems& problems);

} // namespace culvert::server
