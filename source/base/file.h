// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace culvert::base {

// All that is in a file; nothing if it can't be read.
// Threads: any; it waits for the disk, so never a worker.
std::optional<std::string> readFile(const std::string& path);

} // namespace culvert::base
