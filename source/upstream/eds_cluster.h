// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace culvert::registry {
class Registry;
}

namespace culvert::upstream {

// Adds the EDS kind of cluster. Threads: main.
void registerEdsCluster(registry::Registry& registry);

} // namespace culvert::upstream
