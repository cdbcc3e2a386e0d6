// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/slow_start.h"

#include <algorithm>
#include <cmath>

namespace culvert::upstream {

bool SlowStart::inWindow(const Host& host, base::Instant now) const {
  return host.health() == HostHealth::kHealthy && host.healthySince() != base::Instant() &&
         now - host.healthySince() < config_.window;
}

bool SlowStart::concerns(const std::vector<HostPtr>& hosts) const {
  if (config_.window == base::Duration::zero()) {
    return false;
  }
  const base::Instant now = clock_->now();
  return std::any_of(hosts.begin(), hosts.end(),
                     [&](const HostPtr& host) { return inWindow(*host, now); });
}

double SlowStart::factor(const Host& host) const {
  const base::Instant now = clock_->now();
  if (!inWindow(host, now)) {
    return 1.0;
  }
  const base::Duration age =
      std::max<base::Duration>(now - host.healthySince(), std::chrono::milliseconds(1));
  const double part =
      static_cast<double>(age.count()) / static_cast<double>(config_.window.count());
  const double grown = config_.aggression == 1.0 ? part : std::pow(part, 1.0 / config_.aggression);
  return std::max(std::min(grown, 1.0), config_.min_factor);
}

} // namespace culvert::upstream
