// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "source/config/problems.h"
#include "source/filter_api/factory.h"
#include "source/net/address.h"
#include "source/server/listener_config.h"

namespace envoy::config::core::v3 {
class Address;
}
namespace envoy::config::listener::v3 {
class Listener;
}

namespace culvert::server {

// Turns a checked `Listener` message into plain values, with its filters' configurations built.
// `path` is where the message stands; mistakes are reported there. Fields that Culvert does not
// honour were refused before (config/support.h).
// Threads: main. Errors: in `problems`; then nothing is returned.
std::optional<ListenerConfig> readListener(const envoy::config::listener::v3::Listener& proto,
                                           absl::string_view path, FactoryContext& context,
                                           config::Problems& problems);

// A listener's or the admin's address: digits or a unix socket.
std::optional<net::Address> readAddress(const envoy::config::core::v3::Address& proto,
                                        absl::string_view path, config::Problems& problems);

} // namespace culvert::server
