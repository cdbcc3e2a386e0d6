// SPDX-License-Identifier: Apache-2.0
#include "source/net/connection_info.h"

#include <gtest/gtest.h>

namespace culvert::net {
namespace {

class Number final : public FilterState::Object {
public:
  explicit Number(int value) : value(value) {}
  std::string serialize() const override { return std::to_string(value); }
  const int value;
};

TEST(FilterState, FindsWhatAnotherFilterLeft) {
  FilterState state;
  state.set("a", std::make_shared<StringState>("x"));
  state.set("b", std::make_shared<Number>(7));
  EXPECT_EQ(state.find("a")->serialize(), "x");
  EXPECT_EQ(state.find<Number>("b")->value, 7);
  EXPECT_EQ(state.find("c"), nullptr);
}

TEST(FilterState, FindsNothingOfAnotherType) {
  FilterState state;
  state.set("a", std::make_shared<StringState>("x"));
  EXPECT_EQ(state.find<Number>("a"), nullptr);
}

TEST(FilterState, ReplacesWhatWasThere) {
  FilterState state;
  state.set("a", std::make_shared<StringState>("x"));
  state.set("a", std::make_shared<Number>(7));
  EXPECT_EQ(state.find("a")->serialize(), "7");
}

TEST(FilterState, IsSharedOnceOrOnAndOn) {
  using Sharing = FilterState::Sharing;
  FilterState state;
  state.set("mine", std::make_shared<StringState>("a"));
  EXPECT_EQ(state.shared(), nullptr);
  state.set("once", std::make_shared<StringState>("b"), Sharing::kOnce);
  state.set("on", std::make_shared<StringState>("c"), Sharing::kTransitive);
  const std::unique_ptr<FilterState> next = state.shared();
  EXPECT_EQ(next->find("mine"), nullptr);
  EXPECT_EQ(next->find("once")->serialize(), "b");
  const std::unique_ptr<FilterState> after = next->shared();
  EXPECT_EQ(after->find("once"), nullptr);
  EXPECT_EQ(after->find("on")->serialize(), "c");
}

TEST(ConnectionInfo, HasNoUpstreamAndNoStateUntilSomebodyAsks) {
  ConnectionInfo info;
  EXPECT_EQ(info.upstream, nullptr);
  EXPECT_EQ(info.filter_state, nullptr);
  EXPECT_EQ(&info.mutableUpstream(), info.upstream.get());
  EXPECT_EQ(&info.mutableFilterState(), info.filter_state.get());
}

} // namespace
} // namespace culvert::net
