// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "nlohmann/json.hpp"
#include "source/base/clock.h"
#include "source/net/address.h"

namespace culvert::upstream {

// What the lines of event logs are made of. Threads: any.

// Keeps the order in which keys were set.
using Json = nlohmann::ordered_json;

// envoy.config.core.v3.Address with all its fields, as Envoy prints it into events.
Json addressJson(const net::Address& address);
// "2026-01-31T12:00:00.123Z"
std::string timeText(base::WallTime time);
// With the newline. Bytes that are no UTF-8 are replaced.
std::string lineOf(const Json& json);

} // namespace culvert::upstream
