// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "source/mesh/table.h"

namespace culvert::mesh {

// What the table holds as pages show it: "policies", "services", "stagedServices" and "workloads",
// in the words of the local file (mesh-control-plane 9.4).
// Threads: main, so that no writer waits however much it is.
nlohmann::json stateJson(const WorkloadTable& table);

} // namespace culvert::mesh
