// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace culvert::net {
struct Value;
}

namespace culvert::access_log::internal {

// Turns what `out` holds from `start` on into the inside of a JSON string. Text that is not UTF-8
// becomes \u00XX byte by byte.
void escapeJson(std::string& out, size_t start);

// `text` in quotes.
void appendJsonString(absl::string_view text, std::string& out);

// The shortest form that reads back the same: 0.1, 1e+05.
void appendJsonNumber(double number, std::string& out);

// Keys sorted, no blanks.
void appendJsonValue(const net::Value& value, std::string& out);

// Replaces control characters from `start` on by \n, \t or \xNN: for lines of text.
void escapeControls(std::string& out, size_t start);

} // namespace culvert::access_log::internal
