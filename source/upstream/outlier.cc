// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/outlier.h"

#include <utility>

namespace culvert::upstream {

OutlierCounts::OutlierCounts(const OutlierConfig& config, Reached reached)
    : split_(config.split_local_origin), reached_(std::move(reached)) {
  failures_5xx_.limit = config.consecutive_5xx;
  failures_gateway_.limit = config.consecutive_gateway_failure;
  failures_local_.limit = config.consecutive_local_origin_failure;
}

// Connects are the only thing that L4 knows to succeed or to fail.
void OutlierCounts::connected() {
  total_.fetch_add(1, std::memory_order_relaxed);
  succeeded_.fetch_add(1, std::memory_order_relaxed);
  resetConsecutive();
}

// As HTTP's 503 and 504, which are gateway failures too; or as what they are.
void OutlierCounts::connectFailed() {
  total_.fetch_add(1, std::memory_order_relaxed);
  if (split_) {
    extend(failures_local_, OutlierKind::kConsecutiveLocalOriginFailure);
    return;
  }
  extend(failures_gateway_, OutlierKind::kConsecutiveGatewayFailure);
  extend(failures_5xx_, OutlierKind::kConsecutive5xx);
}

void OutlierCounts::extend(Row& row, OutlierKind kind) {
  if (row.length.fetch_add(1, std::memory_order_relaxed) + 1 == row.limit) {
    reached_(kind);
  }
}

void OutlierCounts::reset(OutlierKind kind) {
  Row& row = kind == OutlierKind::kConsecutive5xx              ? failures_5xx_
             : kind == OutlierKind::kConsecutiveGatewayFailure ? failures_gateway_
                                                               : failures_local_;
  row.length.store(0, std::memory_order_relaxed);
}

void OutlierCounts::resetConsecutive() {
  failures_5xx_.length.store(0, std::memory_order_relaxed);
  failures_gateway_.length.store(0, std::memory_order_relaxed);
  failures_local_.length.store(0, std::memory_order_relaxed);
}

OutlierCounts::Rate OutlierCounts::takeRate() {
  return {succeeded_.exchange(0, std::memory_order_relaxed),
          total_.exchange(0, std::memory_order_relaxed)};
}

} // namespace culvert::upstream
