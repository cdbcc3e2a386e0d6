// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/registry/registry.h"

namespace culvert::upstream {

// Type ORIGINAL_DST, and envoy.clusters.original_dst.
void registerOriginalDst(registry::Registry& registry);

} // namespace culvert::upstream
