// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "source/net/connection.h"

namespace culvert::access_log::internal {

enum class FlagNames : uint8_t { kShort, kLong };

// "UF,URX", or "-" when none is set. `flags` are of net::ResponseFlag.
void appendFlags(uint32_t flags, FlagNames names, std::string& out);

// The bit of a flag that a TCP proxy sets; 0 for those that only HTTP knows; nothing for others.
std::optional<uint32_t> flagOf(absl::string_view short_name);

absl::string_view closeTypeName(net::DetectedClose close);

// Turns white space from `start` on into underscores, so that the text stays one word.
void replaceBlanks(std::string& out, size_t start);

} // namespace culvert::access_log::internal
