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

TEST(ConnectionInfo, HasNoUpstreamAndNoStateUntilSomebodyAsks) {
  ConnectionInfo info;
  EXPECT_EQ(info.upstream, nullptr);
  EXPECT_EQ(info.filter_state, nullptr);
  EXPECT_EQ(&info.mutableUpstream(), info.upstream.get());
  EXPECT_EQ(&info.mutableFilterState(), info.filter_state.get());
}

} // namespace
} // namespace culvert::net
