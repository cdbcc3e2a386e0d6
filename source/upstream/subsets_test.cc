// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/subsets.h"

#include "source/upstream/metadata_match.h"
#include "source/upstream/upstream_fixture.h"

namespace culvert::upstream {
namespace {

using Fields = net::Value::Fields;

Fields fields(const std::vector<std::pair<std::string, std::string>>& pairs) {
  Fields made;
  for (const auto& [key, value] : pairs) {
    made[key] = net::Value{value};
  }
  return made;
}

TEST(MetadataMatch, NamesDifferWhereValuesDo) {
  EXPECT_EQ(subsetName(fields({{"a", "1"}, {"b", "2"}})),
            subsetName(fields({{"b", "2"}, {"a", "1"}})));
  const Fields all[] = {
      fields({{"a", "1"}}),     fields({{"a", "1"}, {"b", "2"}}),
      {{"a", net::Value{1.0}}}, {{"a", net::Value{true}}},
      {{"a", net::Value{}}},    {{"a", net::Value{net::Value::List{{std::string("1")}}}}},
      fields({{"a", "1s1:b"}}), {{"a", net::Value{fields({{"1", "2"}})}}},
      fields({{"a1", ""}}),     fields({{"a", "1}"}}),
  };
  for (const Fields& one : all) {
    for (const Fields& other : all) {
      EXPECT_EQ(subsetName(one) == subsetName(other), &one == &other) << subsetName(one);
    }
  }
}

TEST(MetadataMatch, MoreValuesWin) {
  const MetadataMatch match(fields({{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(match.with(fields({{"a", "3"}})).subset(),
            subsetName(fields({{"a", "3"}, {"b", "2"}})));
  EXPECT_EQ(match.only({"b", "c"}).subset(), subsetName(fields({{"b", "2"}})));
  EXPECT_EQ(match.keys(), keysName({"a", "b"}));
}

// Wants a subset.
struct Wants final : LoadBalancerContext {
  explicit Wants(const Fields& fields) : match(fields) {}
  const MetadataMatch* metadataMatch() const override { return &match; }
  MetadataMatch match;
};

class SubsetsTest : public UpstreamTest {
protected:
  // Three hosts: v1 in stage p, v2 in stage p, and one without metadata.
  ClusterConfig sorted(SubsetConfig config) {
    ClusterConfig cluster = clusterOf({hosts[0].address(), hosts[1].address(), hosts[2].address()});
    cluster.subsets = std::make_shared<const SubsetConfig>(std::move(config));
    for (int i = 0; i < 2; ++i) {
      auto metadata = std::make_shared<net::Metadata>();
      metadata->set(kSubsetMetadata, fields({{"version", i == 0 ? "v1" : "v2"}, {"stage", "p"}}));
      cluster.endpoints[0].endpoints[i].log_metadata = metadata;
    }
    return cluster;
  }
  // Which hosts a few connections reach: "02" are the first and the last.
  std::string reached(const LoadBalancerContext& context = LoadBalancerContext()) {
    struct Handler final : UpstreamHandler {
      void onUpstreamConnected() override {}
      void onUpstreamFailed(ConnectFailure) override {}
      void onUpstreamData(net::Buffer&, bool) override {}
      void onUpstreamWriteBlocked(bool) override {}
      void onUpstreamClosed(const net::CloseReason&) override {}
    } handler;
    std::set<char> seen;
    for (int i = 0; i < 6; ++i) {
      auto result = cluster().connect(handler, context);
      if (auto* upstream = std::get_if<std::unique_ptr<Upstream>>(&result)) {
        for (char h = '0'; h < '3'; ++h) {
          if ((*upstream)->host()->address == hosts[static_cast<size_t>(h - '0')].address()) {
            seen.insert(h);
          }
        }
      }
    }
    return std::string(seen.begin(), seen.end());
  }
  std::string wanting(const std::vector<std::pair<std::string, std::string>>& pairs) {
    return reached(Wants(fields(pairs)));
  }

  const TestHost hosts[3];
};

TEST_F(SubsetsTest, AConnectionGetsTheHostsThatItWants) {
  start(sorted({.selectors = {{.keys = {"version"}}, {.keys = {"stage"}}}}));
  EXPECT_EQ(wanting({{"version", "v1"}}), "0");
  EXPECT_EQ(wanting({{"version", "v2"}}), "1");
  EXPECT_EQ(wanting({{"stage", "p"}}), "01");
  EXPECT_EQ(counter("lb_subsets_selected"), 18u);
}

TEST_F(SubsetsTest, WithoutFallbackOthersGetNothing) {
  start(sorted({.selectors = {{.keys = {"version"}}}}));
  EXPECT_EQ(wanting({{"version", "v3"}}), "");
  EXPECT_EQ(wanting({{"version", "v1"}, {"stage", "p"}}), "");
  EXPECT_EQ(reached(), "");
  EXPECT_EQ(counter("upstream_cx_none_healthy"), 18u);
}

TEST_F(SubsetsTest, AnyHostWillDoInstead) {
  start(sorted({.fallback = SubsetFallback::kAny, .selectors = {{.keys = {"version"}}}}));
  EXPECT_EQ(reached(), "012");
  EXPECT_EQ(wanting({{"version", "v3"}}), "012");
  EXPECT_EQ(counter("lb_subsets_fallback"), 12u);
}

TEST_F(SubsetsTest, OrThoseOfTheDefaultSubset) {
  start(sorted({.fallback = SubsetFallback::kDefault,
                .default_subset = fields({{"version", "v2"}}),
                .selectors = {{.keys = {"stage"}}}}));
  EXPECT_EQ(reached(), "1");
}

TEST_F(SubsetsTest, ADefaultSubsetOfNobodyPanics) {
  start(sorted({.fallback = SubsetFallback::kDefault,
                .default_subset = fields({{"version", "v9"}}),
                .selectors = {{.keys = {"stage"}}},
                .panic_mode_any = true}));
  EXPECT_EQ(reached(), "012");
  EXPECT_EQ(counter("lb_subsets_fallback_panic"), 6u);
}

TEST_F(SubsetsTest, ASelectorMayHaveAFallbackOfItsOwn) {
  start(sorted({.fallback = SubsetFallback::kAny,
                .default_subset = fields({{"version", "v2"}}),
                .selectors = {{.keys = {"version"}, .fallback = SubsetFallback::kDefault},
                              {.keys = {"stage"}, .fallback = SubsetFallback::kNone},
                              {.keys = {"stage", "version"},
                               .fallback = SubsetFallback::kKeysSubset,
                               .fallback_keys = {"version"}}}}));
  EXPECT_EQ(wanting({{"version", "v3"}}), "1");
  EXPECT_EQ(wanting({{"stage", "q"}}), "");
  EXPECT_EQ(wanting({{"version", "v1"}, {"stage", "q"}}), "0");
  EXPECT_EQ(wanting({{"other", "x"}}), "012");
}

TEST_F(SubsetsTest, AListMayStandForEachOfItsValues) {
  ClusterConfig config = sorted({.selectors = {{.keys = {"version"}}}, .list_as_any = true});
  auto metadata = std::make_shared<net::Metadata>();
  const net::Value::List both = {{std::string("v1")}, {std::string("v3")}, {std::string("v1")}};
  metadata->set(kSubsetMetadata, {{"version", net::Value{both}}});
  config.endpoints[0].endpoints[2].log_metadata = metadata;
  start(std::move(config));
  EXPECT_EQ(wanting({{"version", "v1"}}), "02");
  EXPECT_EQ(wanting({{"version", "v2"}}), "1");
  EXPECT_EQ(wanting({{"version", "v3"}}), "2");
}

TEST_F(SubsetsTest, ASubsetMayBeTheFirstHostAlone) {
  start(sorted({.selectors = {{.keys = {"stage"}, .single_host = true}}}));
  EXPECT_EQ(wanting({{"stage", "p"}}), "0");
  EXPECT_EQ(gauge("lb_subsets_single_host_per_subset_duplicate"), 1u);
}

TEST_F(SubsetsTest, TheyAreCountedForEveryThread) {
  start(sorted({.selectors = {{.keys = {"version"}}}}));
  EXPECT_EQ(gauge("lb_subsets_active"), 4u);
  EXPECT_EQ(counter("lb_subsets_created"), 4u);
  EXPECT_EQ(counter("lb_subsets_removed"), 0u);
}

} // namespace
} // namespace culvert::upstream
