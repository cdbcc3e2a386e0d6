// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "test/kit/filter_fixture.h"

namespace culvert {
namespace {

using std::chrono::milliseconds;

constexpr char kOneASecond[] =
    R"pb(stat_prefix: "in"
         token_bucket {
           max_tokens: 1
           tokens_per_fill { value: 2 }
           fill_interval { seconds: 2 }
         }
         runtime_enabled {
           default_value { value: true }
           runtime_key: "rate.on"
         })pb";

TEST(LocalRateLimit, ClosesAConnectionThatFindsNoToken) {
  FilterFixture first("local_ratelimit", kOneASecond);
  FilterFixture second(first);
  first.open();
  second.open();
  EXPECT_FALSE(first.isClosed());
  EXPECT_EQ(second.closed(), CloseReason::local("local_ratelimit_close_over_limit"));
  EXPECT_EQ(second.info().response_flags, uint32_t{net::kUpstreamRetryLimitExceeded});
  EXPECT_EQ(first.stat("local_rate_limit.in.rate_limited"), 1u);
}

TEST(LocalRateLimit, FillsSteadily) {
  FilterFixture first("local_ratelimit", kOneASecond);
  FilterFixture second(first);
  FilterFixture third(first);
  first.open();
  first.advance(milliseconds(999));
  second.open();
  EXPECT_TRUE(second.isClosed());
  first.advance(milliseconds(1));
  third.open();
  EXPECT_FALSE(third.isClosed());
}

TEST(LocalRateLimit, TakesNoTokenWhileItIsDisabled) {
  FilterFixture first("local_ratelimit", kOneASecond);
  FilterFixture second(first);
  first.setRuntime("rate.on", "false");
  first.open();
  first.setRuntime("rate.on", "true");
  second.open();
  EXPECT_FALSE(second.isClosed());
}

TEST(LocalRateLimit, SharesABucketByItsKey) {
  constexpr char kShared[] =
      R"pb(stat_prefix: "a"
           share_key: "both"
           token_bucket {
             max_tokens: 1
             fill_interval { seconds: 60 }
           })pb";
  FilterFixture one("local_ratelimit", kShared);
  FilterFixture alike("local_ratelimit", kShared, one);
  FilterFixture other("local_ratelimit",
                      R"pb(stat_prefix: "b"
                           share_key: "both"
                           token_bucket {
                             max_tokens: 2
                             fill_interval { seconds: 60 }
                           })pb",
                      one);
  one.open();
  alike.open();
  other.open();
  EXPECT_FALSE(one.isClosed());
  EXPECT_TRUE(alike.isClosed());
  EXPECT_FALSE(other.isClosed()) << "a bucket of another size is another bucket";
}

TEST(LocalRateLimit, RefusesToFillMoreOftenThanEvery50Ms) {
  const absl::Status status = FilterFixture::load(
      "local_ratelimit",
      R"pb(stat_prefix: "in" token_bucket { max_tokens: 1 fill_interval { nanos: 49999999 } })pb");
  EXPECT_EQ(status.message(), "token_bucket.fill_interval: local rate limit token bucket fill "
                              "timer must be >= 50ms");
}

} // namespace
} // namespace culvert
