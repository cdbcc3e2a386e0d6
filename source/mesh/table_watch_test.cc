// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/table_watch.h"

#include <optional>
#include <thread>

#include "gtest/gtest.h"
#include "source/event/simulated_clock.h"
#include "source/mesh/table_fixture.h"

namespace culvert::mesh {
namespace {

class LocalWorkloadWaitTest : public TableFixture {
protected:
  LocalWorkloadWaitTest() {
    wait_.emplace(table_, loop_, LocalWorkloadWait::Key{"pod", "ns", "pod"}, [this] {
      done_++;
      wait_.reset();
    });
  }

  event::SimulatedClock clock_;
  event::Loop loop_{"worker", clock_};
  int done_ = 0;
  std::optional<LocalWorkloadWait> wait_;
};

TEST_F(LocalWorkloadWaitTest, WhatComesIsFoundThen) { // T-21
  workload("other", {});
  wait_->onUpdate();
  EXPECT_EQ(done_, 0);
  workload("pod", {});
  wait_->onUpdate();
  EXPECT_EQ(done_, 1);
}

TEST_F(LocalWorkloadWaitTest, WhatDoesNotComeIsGivenUp) { // T-21
  clock_.advance(std::chrono::milliseconds(4999));
  loop_.runOnce(false);
  EXPECT_EQ(done_, 0);
  clock_.advance(std::chrono::milliseconds(1));
  loop_.runOnce(false);
  EXPECT_EQ(done_, 1);
}

TEST(LocalWorkloadWaitKeyTest, IsSaidAsTheLogSaysIt) {
  EXPECT_EQ((LocalWorkloadWait::Key{"pod", "ns", "sa"}.toString()), "sa.ns (pod)");
}

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
