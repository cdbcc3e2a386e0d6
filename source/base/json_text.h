// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/strings/string_view.h"

// Pieces of JSON text (RFC 8259). Threads: any.
namespace culvert::base {

// Turns what `out` holds from `start` on into the inside of a JSON string. Text that is not UTF-8
// becomes \u00XX byte by byte.
void escapeJson(std::string& out, size_t start);

// `text` in quotes. YAML reads it as the same text.
void appendJsonString(absl::string_view text, std::string& out);
std::string jsonString(absl::string_view text);

// The shortest form that reads back the same: 0.1, 1e+05; null for what is no number.
void appendJsonNumber(double number, std::string& out);

} // namespace culvert::base
