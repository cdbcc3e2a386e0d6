// SPDX-License-Identifier: Apache-2.0
#include "source/server/filter_chain_matcher.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace culvert::server {
namespace {

net::Cidr cidr(absl::string_view ip, uint32_t bits) { return *net::Cidr::create(ip, bits); }

// A listener's chains, told apart by name. What is expected is what Envoy 1.40 does with the same.
class FilterChainMatcherTest : public testing::Test {
protected:
  // A connection, by default from 127.0.0.1 to 127.0.0.1:10000, of which nothing else is known.
  struct Query {
    std::string to = "127.0.0.1";
    uint16_t port = 10000;
    std::string from = "127.0.0.1";
    uint16_t from_port = 40000;
    std::string direct_from = "";
    std::string server_name = "";
    std::string transport = "raw_buffer";
    std::vector<std::string> protocols = {};
  };

  void add(const std::string& name, FilterChainMatch match, const std::string& text = "") {
    auto chain = std::make_shared<FilterChain>();
    chain->name = name;
    chain->match = std::move(match);
    chain->match_text = text.empty() ? absl::StrCat("{", chains_.size(), "}") : text;
    chains_.push_back(std::move(chain));
  }
  void addDefault() {
    auto chain = std::make_shared<FilterChain>();
    chain->name = "default";
    default_ = std::move(chain);
  }
  // The names of the chain that is chosen; "-" when there is none.
  std::string find(const Query& query) {
    if (matcher_ == nullptr) {
      matcher_ = *FilterChainMatcher::create(chains_, default_);
    }
    const auto address = [](const std::string& text, uint16_t port) {
      return text == "internal" ? net::Address::internal("inner", "x")
             : text[0] == '/'   ? *net::Address::pipe(text)
                                : *net::Address::parseIp(text, port);
    };
    const net::Address to = address(query.to, query.port);
    const net::Address from = address(query.from, query.from_port);
    const net::Address direct =
        query.direct_from.empty() ? from : address(query.direct_from, query.from_port);
    const FilterChain* const chain =
        matcher_->find({to, from, direct, query.server_name, query.transport, query.protocols});
    return chain == nullptr ? "-" : chain->name;
  }
  std::string error() {
    const auto made = FilterChainMatcher::create(chains_, default_);
    return made.ok() ? "" : std::string(made.status().message());
  }

  std::vector<FilterChainPtr> chains_;
  FilterChainPtr default_;
  std::unique_ptr<const FilterChainMatcher> matcher_;
};

TEST_F(FilterChainMatcherTest, TakesTheOnlyChain) {
  add("only", {});
  EXPECT_EQ(find({}), "only");
  EXPECT_EQ(find({.to = "/run/x", .from = "/run/y"}), "only");
}

TEST_F(FilterChainMatcherTest, WhatIsNoIpAddressIsInTheLargestRangeOnly) {
  add("any v4", {.prefix_ranges = {cidr("0.0.0.0", 0)}});
  add("10", {.prefix_ranges = {cidr("10.0.0.0", 8)}});
  EXPECT_EQ(find({.to = "/run/x", .from = "/run/y"}), "any v4");
  EXPECT_EQ(find({.to = "internal", .from = "internal"}), "any v4");
}

TEST_F(FilterChainMatcherTest, InternalPeersAreExternal) {
  add("external", {.source_type = SourceType::kExternal});
  EXPECT_EQ(find({.to = "internal", .from = "internal"}), "external");
  EXPECT_EQ(find({.to = "/run/x", .from = "/run/y"}), "-");
}

TEST_F(FilterChainMatcherTest, FindsNothingWithoutChains) { EXPECT_EQ(find({}), "-"); }

TEST_F(FilterChainMatcherTest, TakesTheDefaultWhenNothingMatches) {
  add("port", {.destination_port = 10000});
  addDefault();
  EXPECT_EQ(find({}), "port");
  EXPECT_EQ(find({.port = 10001}), "default");
}

TEST_F(FilterChainMatcherTest, PrefersThePortThatIsNamed) {
  add("port", {.destination_port = 10000});
  add("any", {});
  EXPECT_EQ(find({.port = 10000}), "port");
  EXPECT_EQ(find({.port = 10001}), "any");
}

TEST_F(FilterChainMatcherTest, NeverGoesBack) {
  add("port and source",
      {.destination_port = 10000, .source_prefix_ranges = {cidr("127.0.0.2", 32)}});
  add("any", {});
  EXPECT_EQ(find({.from = "127.0.0.2"}), "port and source");
  EXPECT_EQ(find({.from = "127.0.0.1"}), "-") << "the port was decided already";
  EXPECT_EQ(find({.port = 10001}), "any");
}

TEST_F(FilterChainMatcherTest, PrefersTheLongestPrefix) {
  add("8", {.prefix_ranges = {cidr("10.0.0.0", 8)}});
  add("24", {.prefix_ranges = {cidr("10.1.1.0", 24)}});
  add("16 or v6", {.prefix_ranges = {cidr("10.1.0.0", 16), cidr("2001:db8::", 32)}});
  add("none", {});
  EXPECT_EQ(find({.to = "10.1.1.1"}), "24");
  EXPECT_EQ(find({.to = "10.1.2.1"}), "16 or v6");
  EXPECT_EQ(find({.to = "2001:db8:1::1"}), "16 or v6");
  EXPECT_EQ(find({.to = "10.2.1.1"}), "8");
  EXPECT_EQ(find({.to = "11.2.1.1"}), "none");
  EXPECT_EQ(find({.to = "/run/x"}), "none");
}

TEST_F(FilterChainMatcherTest, PrefersAPrefixOfNothingToNoPrefix) {
  add("none", {});
  add("0", {.prefix_ranges = {cidr("0.0.0.0", 0)}});
  EXPECT_EQ(find({}), "0");
  EXPECT_EQ(find({.to = "::1"}), "none");
}

TEST_F(FilterChainMatcherTest, PrefersTheExactNameThenTheLongestSuffix) {
  add("exact", {.server_names = {"a.lab.test"}});
  add("lab", {.server_names = {"*.lab.test"}});
  add("x", {.server_names = {"*.x.lab.test"}});
  add("test", {.server_names = {"*.test"}});
  addDefault();
  EXPECT_EQ(find({.server_name = "a.lab.test"}), "exact");
  EXPECT_EQ(find({.server_name = "A.Lab.TEST"}), "exact");
  EXPECT_EQ(find({.server_name = "b.lab.test"}), "lab");
  EXPECT_EQ(find({.server_name = "x.lab.test"}), "lab");
  EXPECT_EQ(find({.server_name = "b.c.x.lab.test"}), "x");
  EXPECT_EQ(find({.server_name = "lab.test"}), "test") << "*.lab.test does not cover lab.test";
  EXPECT_EQ(find({.server_name = "test"}), "default");
  EXPECT_EQ(find({.server_name = ".test"}), "default");
  EXPECT_EQ(find({.server_name = ""}), "default");
}

TEST_F(FilterChainMatcherTest, ComparesTheTransport) {
  add("tls", {.transport_protocol = "tls"});
  add("raw", {.transport_protocol = "raw_buffer"});
  EXPECT_EQ(find({.transport = "tls"}), "tls");
  EXPECT_EQ(find({}), "raw");
  EXPECT_EQ(find({.transport = "quic"}), "-");
}

TEST_F(FilterChainMatcherTest, FollowsTheOrderInWhichTheClientOffersProtocols) {
  add("h2", {.application_protocols = {"h2", "h3"}});
  add("h1", {.application_protocols = {"http/1.1"}});
  add("none", {});
  EXPECT_EQ(find({.protocols = {"http/1.1", "h2"}}), "h1");
  EXPECT_EQ(find({.protocols = {"h3", "http/1.1"}}), "h2");
  EXPECT_EQ(find({.protocols = {"foo", "h2"}}), "h2");
  EXPECT_EQ(find({.protocols = {"foo"}}), "none");
  EXPECT_EQ(find({}), "none");
}

TEST_F(FilterChainMatcherTest, TellsTheDirectSourceFromTheOneThatIsClaimed) {
  add("proxy", {.direct_source_prefix_ranges = {cidr("10.0.0.0", 8)}});
  add("client", {.source_prefix_ranges = {cidr("10.0.0.0", 8)}});
  EXPECT_EQ(find({.from = "10.0.0.1"}), "proxy");
  EXPECT_EQ(find({.from = "10.0.0.1", .direct_from = "11.0.0.1"}), "client");
  EXPECT_EQ(find({.from = "11.0.0.1"}), "-");
}

TEST_F(FilterChainMatcherTest, CallsTheSameIpAndLoopbackLocal) {
  add("local", {.source_type = SourceType::kSameIpOrLoopback});
  add("external", {.source_type = SourceType::kExternal});
  EXPECT_EQ(find({}), "local");
  EXPECT_EQ(find({.from = "127.0.0.2"}), "external");
  EXPECT_EQ(find({.to = "127.0.0.2", .from = "127.0.0.2"}), "local");
  EXPECT_EQ(find({.to = "127.0.0.2", .from = "127.0.0.1"}), "local");
  EXPECT_EQ(find({.to = "10.0.0.1", .from = "10.0.0.1"}), "local");
  EXPECT_EQ(find({.to = "10.0.0.1", .from = "::1"}), "local");
  EXPECT_EQ(find({.to = "/run/x", .from = "/run/y"}), "local");
}

TEST_F(FilterChainMatcherTest, PrefersTheSourcePortThatIsNamed) {
  add("ports", {.source_ports = {40000, 40001}});
  add("any", {});
  EXPECT_EQ(find({.from_port = 40001}), "ports");
  EXPECT_EQ(find({.from_port = 40002}), "any");
}

// Each criterion decides before those behind it.
TEST_F(FilterChainMatcherTest, ConsultsTheCriteriaInTheirOrder) {
  add("port", {.destination_port = 10000});
  add("prefix", {.prefix_ranges = {cidr("127.0.0.0", 8)}});
  add("name", {.server_names = {"a.test"}});
  add("transport", {.transport_protocol = "tls"});
  add("protocol", {.application_protocols = {"h2"}});
  add("direct", {.direct_source_prefix_ranges = {cidr("127.0.0.0", 8)}});
  add("type", {.source_type = SourceType::kSameIpOrLoopback});
  add("source", {.source_prefix_ranges = {cidr("127.0.0.0", 8)}});
  add("source port", {.source_ports = {40000}});
  Query query = {.server_name = "a.test", .transport = "tls", .protocols = {"h2"}};
  EXPECT_EQ(find(query), "port");
  query.port = 1;
  EXPECT_EQ(find(query), "prefix");
  query.to = "10.0.0.1";
  EXPECT_EQ(find(query), "name");
  query.server_name = "";
  EXPECT_EQ(find(query), "transport");
  query.transport = "raw_buffer";
  EXPECT_EQ(find(query), "protocol");
  query.protocols = {};
  EXPECT_EQ(find(query), "direct");
  query.direct_from = "10.0.0.2";
  EXPECT_EQ(find(query), "type");
  query.from = "127.0.0.2";
  EXPECT_EQ(find(query), "source");
  query.from = "10.0.0.2";
  EXPECT_EQ(find(query), "source port");
}

TEST_F(FilterChainMatcherTest, RefusesTheSameMatchTwice) {
  add("a", {.destination_port = 1}, R"({"destination_port":1})");
  add("b", {.destination_port = 1}, R"({"destination_port":1})");
  EXPECT_EQ(error(),
            "filter_chains[1]: filter chain 'b' has the same matching rules defined as 'a'. "
            "duplicate matcher is: {\"destination_port\":1}");
}

constexpr const char* kOverlap =
    "filter_chains[1]: multiple filter chains with overlapping matching rules are defined";

TEST_F(FilterChainMatcherTest, RefusesMatchesThatShareAValue) {
  add("a", {.source_ports = {1, 2}});
  add("b", {.source_ports = {2, 3}});
  EXPECT_EQ(error(), kOverlap);
}

TEST_F(FilterChainMatcherTest, RefusesTheSamePrefixWithOtherHostBits) {
  add("a", {.prefix_ranges = {cidr("10.1.0.0", 8)}});
  add("b", {.prefix_ranges = {cidr("10.2.0.0", 8)}});
  EXPECT_EQ(error(), kOverlap);
}

TEST_F(FilterChainMatcherTest, RefusesAValueThatAChainNamesTwice) {
  add("a", {});
  add("b", {.server_names = {"x.y", "x.y"}});
  EXPECT_EQ(error(), kOverlap);
}

TEST_F(FilterChainMatcherTest, TakesMatchesOfWhichOneIsMoreSpecific) {
  add("a", {.destination_port = 1, .source_ports = {1, 2}});
  add("b", {.source_ports = {2, 3}});
  add("c", {.destination_port = 1});
  EXPECT_EQ(error(), "");
}

TEST_F(FilterChainMatcherTest, RefusesAWildcardThatIsNotAWholeLabel) {
  for (const char* name : {"w*.x", "*", "a.*.b"}) {
    chains_.clear();
    add("a", {.server_names = {name}});
    EXPECT_EQ(error(), "filter_chains[0]: partial wildcards are not supported in \"server_names\"");
  }
}

} // namespace
} // namespace culvert::server
