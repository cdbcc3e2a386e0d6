// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace culvert::net {
struct Value;
}

namespace culvert::access_log::internal {

// Keys sorted, no blanks.
void appendJsonValue(const net::Value& value, std::string& out);

// Replaces control characters from `start` on by \n, \t or \xNN: for lines of text.
void escapeControls(std::string& out, size_t start);

} // namespace culvert::access_log::internal
