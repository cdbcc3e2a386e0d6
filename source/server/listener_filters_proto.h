// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/strings/string_view.h"
#include "source/config/problems.h"
#include "source/filter_api/factory.h"
#include "source/server/listener_config.h"

namespace envoy::config::listener::v3 {
class Listener;
}

namespace culvert::server {

// The listener filters of a checked `Listener` message, and how long they may take.
// Threads: main. Errors: in `problems`, below `path`.
void readListenerFilters(const envoy::config::listener::v3::Listener& proto, absl::string_view path,
                         FactoryContext& context, config::Problems& problems,
                         ListenerConfig& config);

} // namespace culvert::server
