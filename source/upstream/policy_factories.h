// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/registry/registry.h"

namespace culvert::upstream {

// round_robin, least_request, random, ring_hash and maglev.
void registerPolicies(registry::Registry& registry);

} // namespace culvert::upstream
