// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace culvert::registry {
class Registry;
}

namespace culvert::upstream {

// Adds the kinds of clusters that ask DNS. Threads: main.
void registerDnsClusters(registry::Registry& registry);

} // namespace culvert::upstream
