// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "source/config/mesh/node_environment.h"

namespace culvert::config::node {

// The bootstrap that an environment amounts to, as YAML: whoever serves this file is the same node.
// Threads: any.
std::string nodeBootstrap(const NodeEnvironment& environment);

// What it amounts to beside that: flags of the command line, with their values.
std::vector<std::pair<std::string, std::string>> nodeFlags(const NodeEnvironment& environment);

} // namespace culvert::config::node
