// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "source/upstream/balancing.h"
#include "source/upstream/config.h"

namespace culvert::upstream {

// Hash balancing: the same key goes to the same host, here and in every Envoy of the same hosts
// (envoy-compat A.5). A host stands in a table as often as its weight says, and its locality's;
// all workers share one table. A connection without a key goes anywhere.

enum class HashFunction : uint8_t { kXxHash, kMurmurHash2 };

// RING_HASH. Hosts have points on a ring; a key belongs to the next point.
struct RingHashConfig {
  uint64_t minimum_ring_size = 1024;
  uint64_t maximum_ring_size = 8 * 1024 * 1024;
  HashFunction function = HashFunction::kXxHash;
  bool by_hostname = false;
};
std::unique_ptr<BalancingPolicy> makeRingHash(const RingHashConfig& config,
                                              const PolicyContext& context);

// MAGLEV. Hosts take the places of a table in turns, each in an order of its own.
struct MaglevConfig {
  uint64_t table_size = 65537; // A prime.
  bool by_hostname = false;
};
std::unique_ptr<BalancingPolicy> makeMaglev(const MaglevConfig& config,
                                            const PolicyContext& context);

} // namespace culvert::upstream
