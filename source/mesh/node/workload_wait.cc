// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/node/workload_wait.h"

#include <utility>

namespace culvert::mesh {

WorkloadWait::WorkloadWait(event::Loop& loop, std::function<void()> done)
    : timeout_(loop, event::Timer::Callback::to<&WorkloadWait::finish>(this)),
      done_(std::move(done)) {
  timeout_.arm(kTimeout);
}

void WorkloadWait::finish() {
  unlink();
  timeout_.disarm();
  const auto done = std::move(done_); // It may destroy this.
  done();
}

} // namespace culvert::mesh
