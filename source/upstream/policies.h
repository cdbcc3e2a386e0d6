// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "source/upstream/balancing.h"
#include "source/upstream/slow_start.h"

namespace culvert::upstream {

// ROUND_ROBIN. Equal weights: one rotation for all workers, from a random start. Otherwise each
// worker takes hosts by earliest deadline first, where a host's turns are 1 / weight apart; so too
// while a host starts slowly.
std::unique_ptr<BalancingPolicy> makeRoundRobin(uint64_t seed, SlowStart slow_start = {});

// LEAST_REQUEST. Equal weights: the least busy of `choice_count` random hosts, or of all. Otherwise
// as weighted round robin, with weight / (active requests + 1) ^ active_request_bias.
struct LeastRequestConfig {
  uint32_t choice_count = 2;
  double active_request_bias = 1.0;
  bool full_scan = false;
  SlowStart slow_start{};
};
std::unique_ptr<BalancingPolicy> makeLeastRequest(const LeastRequestConfig& config, uint64_t seed);

// RANDOM. Envoy's takes no notice of weights (measured: weights 9:1 give 109:91 of 200).
std::unique_ptr<BalancingPolicy> makeRandom(uint64_t seed);

} // namespace culvert::upstream
