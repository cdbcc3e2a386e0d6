// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/loop_watch.h"

#include <thread>

#include "gtest/gtest.h"
#include "source/base/clock.h"
#include "source/mesh/table_fixture.h"

namespace culvert::mesh {
namespace {

using LoopWatchTest = TableFixture;

TEST_F(LoopWatchTest, BringsUpdatesToAnotherThread) {
  const base::SystemClock clock;
  event::Loop loop("worker", clock);
  std::vector<bool> heard; // The worker's.
  auto watch = std::make_unique<LoopWatch>(table_, loop, [&](const Touched& touched) {
    heard.push_back(touched.workloads);
    loop.exit();
  });
  std::thread worker([&] { loop.run(); });
  workload("pod", {});
  worker.join();
  EXPECT_EQ(heard, std::vector<bool>{true});
  watch.reset();
  workload("other", {}); // Nobody is told.
  loop.runOnce(false);
  EXPECT_EQ(heard.size(), 1u);
}

} // namespace
} // namespace culvert::mesh
