// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/circuit_breakers.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace culvert::upstream {

// Names the gauges of one priority.
class BreakerGauges {
public:
  BreakerGauges(stats::Scope& scope, absl::string_view priority, bool track)
      : scope_(scope), prefix_(absl::StrCat("circuit_breakers.", priority, ".")), track_(track) {}

  stats::Gauge& open(absl::string_view what) const {
    return scope_.gauge(absl::StrCat(prefix_, what, "_open"));
  }
  stats::Gauge* remaining(absl::string_view what) const {
    return track_ ? &scope_.gauge(absl::StrCat(prefix_, "remaining_", what)) : nullptr;
  }

private:
  stats::Scope& scope_;
  const std::string prefix_;
  const bool track_;
};

CircuitBreakers::CircuitBreakers(const BreakerThresholds& limits, stats::Scope& scope,
                                 absl::string_view priority)
    : CircuitBreakers(limits, BreakerGauges(scope, priority, limits.track_remaining)) {}

CircuitBreakers::CircuitBreakers(const BreakerThresholds& limits, const BreakerGauges& gauges)
    : connections(limits.max_connections, gauges.open("cx"), gauges.remaining("cx")),
      pending(limits.max_pending_requests, gauges.open("rq_pending"), gauges.remaining("pending")),
      requests(limits.max_requests, gauges.open("rq"), gauges.remaining("rq")),
      retries(limits.max_retries, gauges.open("rq_retry"), gauges.remaining("retries")),
      pools(limits.max_connection_pools, gauges.open("cx_pool"), gauges.remaining("cx_pools")) {}

} // namespace culvert::upstream
