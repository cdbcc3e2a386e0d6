// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/node/workload_wait.h"

#include <memory>

#include "gtest/gtest.h"
#include "source/event/simulated_clock.h"
#include "source/mesh/node/node_for_test.h"

namespace culvert::mesh {
namespace {

class WorkloadWaitTest : public testing::Test {
protected:
  WorkloadWaitTest() { mesh_.node.addLoop(loop_); }
  ~WorkloadWaitTest() override { mesh_.node.removeLoops(); }

  std::unique_ptr<WorkloadWait> wait() {
    return mesh_.node.awaitWorkload(loop_, [this] { done_++; });
  }
  void add(const std::string& name, const std::string& ip) {
    mesh_.add(name, ip);
    loop_.runOnce(false);
  }

  event::SimulatedClock clock_;
  event::Loop loop_{"worker", clock_};
  NodeForTest mesh_{"web"};
  int done_ = 0;
};

TEST_F(WorkloadWaitTest, WhatComesIsFoundThen) { // T-21
  const auto first = wait();
  const auto second = wait();
  add("cart", "10.0.0.2");
  EXPECT_EQ(done_, 0);
  add("web", "10.0.0.1");
  EXPECT_EQ(done_, 2);
  add("shelf", "10.0.0.3"); // Nobody is told twice.
  EXPECT_EQ(done_, 2);
}

TEST_F(WorkloadWaitTest, WhatDoesNotComeIsGivenUp) { // T-21
  const auto waiting = wait();
  clock_.advance(WorkloadWait::kTimeout - std::chrono::milliseconds(1));
  loop_.runOnce(false);
  EXPECT_EQ(done_, 0);
  clock_.advance(std::chrono::milliseconds(1));
  loop_.runOnce(false);
  EXPECT_EQ(done_, 1);
  add("web", "10.0.0.1"); // Too late.
  EXPECT_EQ(done_, 1);
}

TEST_F(WorkloadWaitTest, WhoGoesOnMayEndAnother) {
  std::unique_ptr<WorkloadWait> other;
  const auto first = mesh_.node.awaitWorkload(loop_, [&] { other.reset(); });
  other = wait();
  add("web", "10.0.0.1");
  EXPECT_EQ(other, nullptr);
  EXPECT_EQ(done_, 0);
}

TEST(WorkloadKeyTest, IsSaidAsTheLogSaysIt) {
  EXPECT_EQ((WorkloadKey{"pod", "ns", "sa"}.toString()), "sa.ns (pod)");
}

} // namespace
} // namespace culvert::mesh
