// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "source/access_log/access_log.h"
#include "source/registry/registry.h"

namespace culvert::config::node {

// Adds the access logger culvert.access_loggers.mesh: a mesh node's lines, on stdout. A line for
// each connection that the mesh's filters have seen, and for each tunnel whose handshake failed.
// Threads: main.
void registerMeshLog(registry::Registry& registry);

enum class MeshLogFormat : uint8_t { kText, kJson };

// Adds the line of a connection to `line`; nothing where it has none. Threads: any.
void appendMeshLine(const access_log::Entry& entry, MeshLogFormat format, std::string& line);

} // namespace culvert::config::node
