// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "source/base/clock.h"
#include "source/upstream/host.h"

namespace culvert::upstream {

struct SlowStartConfig {
  base::Duration window{}; // 0: there is none.
  double aggression = 1.0; // Above 0; the more, the faster it begins.
  double min_factor = 0.1;
};

// A host that has just become healthy gets its load little by little: its weight counts for as
// much as its share of the window, to the power of 1 / aggression.
// Threads: any, as a value. Lifetime: the clock outlives it.
class SlowStart {
public:
  SlowStart() = default;
  SlowStart(const SlowStartConfig& config, const base::Clock& clock)
      : config_(config), clock_(&clock) {}

  // Whether one of these is still in its window.
  bool concerns(const std::vector<HostPtr>& hosts) const;
  // What to multiply the host's weight with.
  double factor(const Host& host) const;

private:
  bool inWindow(const Host& host, base::Instant now) const;

  SlowStartConfig config_;
  const base::Clock* clock_ = nullptr; // Null without a window.
};

} // namespace culvert::upstream
