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
    wait_.emplace(table_, loop_, LocalWorkloadWait::Key{"pod", "ns", "pod"},
                  [this](WorkloadRef found) {
                    answers_.push_back(found ? found->name.string() : "time is up");
                    wait_.reset();
                  });
  }

  event::SimulatedClock clock_;
  event::Loop loop_{"worker", clock_};
  std::vector<std::string> answers_;
  std::optional<LocalWorkloadWait> wait_;
};

TEST_F(LocalWorkloadWaitTest, WhatIsThereIsFoundAtOnce) { // T-21
  workload("pod", {});
  EXPECT_EQ(wait_->start()->name, "pod");
  EXPECT_TRUE(answers_.empty());
}

TEST_F(LocalWorkloadWaitTest, WhatComesLaterIsFoundThen) { // T-21
  EXPECT_FALSE(wait_->start());
  workload("other", {});
  wait_->onUpdate();
  EXPECT_TRUE(answers_.empty());
  workload("pod", {});
  wait_->onUpdate();
  EXPECT_EQ(answers_, std::vector<std::string>{"pod"});
}

TEST_F(LocalWorkloadWaitTest, WhatDoesNotComeIsGivenUp) { // T-21
  EXPECT_FALSE(wait_->start());
  clock_.advance(std::chrono::milliseconds(4999));
  loop_.runOnce(false);
  EXPECT_TRUE(answers_.empty());
  clock_.advance(std::chrono::milliseconds(1));
  loop_.runOnce(false);
  EXPECT_EQ(answers_, std::vector<std::string>{"time is up"});
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
