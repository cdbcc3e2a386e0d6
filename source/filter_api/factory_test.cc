// SPDX-License-Identifier: Apache-2.0
#include "source/filter_api/factory.h"

#include <gtest/gtest.h>

#include "source/filter_api/filter.h"
#include "test/kit/scripted_chain.h"

namespace culvert {
namespace {

using test::NoClusters;

// Names its statistics, and one more on a worker when asked to.
class Counting final : public Filter {
public:
  Counting(FilterContext& context, bool late) {
    context.counter("seen").add();
    context.gauge("open").set(3);
    if (late && context.clusters() != nullptr) {
      context.counter("late");
    }
  }
};

class CountingConfig final : public NetworkFilterConfig {
public:
  CountingConfig(stats::Scope& scope, bool late)
      : NetworkFilterConfig("counting", {false, false}, scope), late_(late) {}
  std::unique_ptr<Filter> make(FilterContext& context) const override {
    return std::make_unique<Counting>(context, late_);
  }

private:
  const bool late_;
};

TEST(NetworkFilterConfig, NamesStatisticsWhenItIsLoaded) {
  stats::Store store(1, {});
  CountingConfig config(store.root(), /*late=*/false);
  config.nameStatistics();
  ASSERT_NE(store.findCounter("counting.seen"), nullptr);
  NoClusters clusters;
  config.newFilter(clusters);
  EXPECT_EQ(store.findCounter("counting.seen")->value(), 2u);
  EXPECT_EQ(store.findGauge("counting.open")->value(), 3u);
}

TEST(NetworkFilterConfigDeathTest, StopsAProgramThatNamesAStatisticLate) {
  stats::Store store(1, {});
  CountingConfig config(store.root(), /*late=*/true);
  config.nameStatistics();
  NoClusters clusters;
  EXPECT_DEATH(config.newFilter(clusters), "check failed");
}

} // namespace
} // namespace culvert
