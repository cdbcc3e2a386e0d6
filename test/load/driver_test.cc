// SPDX-License-Identifier: Apache-2.0
// The load driver against relays with a known fault: a test that cannot fail proves nothing.
#include <gtest/gtest.h>
#include <iostream>
#include <set>
#include <string>

#include "test/load/load.h"
#include "test/load/pattern.h"
#include "test/load/plan.h"

namespace culvert::load {
namespace {

std::string floor_relay;

// A relay that leaks makes its test wait for all of `settle_seconds`.
std::string loadThrough(const std::string& flag, int settle_seconds) {
  LoadOptions options;
  options.connections = 50;
  options.seconds = 2;
  options.seed = 5;
  options.settle_seconds = settle_seconds;
  options.command = {floor_relay, flag, "{listen}", "{backend}"};
  std::string wrong;
  for (const std::string& each : runLoad(options, std::cout))
    wrong += each + "\n";
  return wrong;
}

TEST(Driver, CatchesALostByte) {
  EXPECT_NE(loadThrough("--lose_every=300", 3).find("wrong byte"), std::string::npos);
}

TEST(Driver, CatchesALeakedDescriptor) {
  EXPECT_NE(loadThrough("--leak_every=20", 3).find("descriptors are open"), std::string::npos);
}

TEST(Driver, FindsNothingInAHealthyRelay) {
  EXPECT_EQ(loadThrough("--lose_every=0", 30), "");
  EXPECT_EQ(loadThrough("--splice", 30), "");
}

TEST(Driver, CatchesAProxyThatDoesNotServe) {
  LoadOptions options;
  options.command = {"/bin/true"};
  EXPECT_EQ(runLoad(options, std::cout), std::vector<std::string>{"the proxy does not serve"});
}

TEST(Pattern, TellsWhereAByteIsWrong) {
  const Pattern pattern{42};
  std::string bytes(1000, '\0');
  pattern.fill(3, bytes.data(), bytes.size());
  EXPECT_EQ(pattern.firstWrong(3, bytes.data(), bytes.size()), std::nullopt);
  EXPECT_EQ(pattern.firstWrong(8, bytes.data() + 5, 100), std::nullopt);
  bytes[500] ^= 1;
  EXPECT_EQ(pattern.firstWrong(3, bytes.data(), bytes.size()), 503U);
}

TEST(Pattern, TellsALostByte) {
  const Pattern pattern{42};
  std::string bytes(1000, '\0');
  pattern.fill(0, bytes.data(), bytes.size());
  bytes.erase(100, 1);
  EXPECT_TRUE(pattern.firstWrong(0, bytes.data(), bytes.size()).has_value());
}

TEST(Plan, IsTheSameForTheSameSeed) {
  for (uint64_t id = 1; id < 100; ++id)
    EXPECT_EQ(makePlan(9, id, 100).client.bytes, makePlan(9, id, 100).client.bytes);
}

TEST(Plan, TakesEveryKind) {
  std::set<Kind> kinds;
  for (uint64_t id = 1; id < 500; ++id)
    kinds.insert(makePlan(9, id, 100).kind);
  EXPECT_EQ(kinds.size(), static_cast<size_t>(kKinds));
}

} // namespace
} // namespace culvert::load

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  culvert::load::floor_relay = argc > 1 ? argv[1] : "";
  return RUN_ALL_TESTS();
}
