// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/hash_policies.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "source/base/hash.h"
#include "source/stats/store.h"
#include "source/upstream/upstream.h"

namespace culvert::upstream {
namespace {

struct Keyed final : LoadBalancerContext {
  explicit Keyed(absl::string_view key) : hash(base::xxHash64(key)) {}
  std::optional<uint64_t> hashKey() const override { return hash; }
  uint64_t hash;
};

// Hosts A, B, ... at 127.0.0.1:11001 and on. What clients are sent to was observed on Envoy.
class HashPoliciesTest : public testing::Test {
protected:
  HostSets sets(const std::vector<uint32_t>& weights, uint32_t priority = 0) {
    for (const uint32_t weight : weights) {
      EndpointConfig endpoint;
      endpoint.weight = weight;
      LocalityConfig locality;
      locality.priority = priority;
      const auto port = static_cast<uint16_t>(11001 + hosts.size());
      hosts.push_back(std::make_shared<Host>(endpoint, locality,
                                             *net::Address::parseIp("127.0.0.1", port), "c"));
    }
    return makeHostSets(hosts, {});
  }
  static char letter(const HostPtr& host) {
    return static_cast<char>('A' + host->address().port() - 11001);
  }
  // Where the clients 127.0.0.1 to 127.0.0.8 go.
  static std::string eightClients(const HostSets& sets, BalancingPolicy& policy) {
    Balancer balancer(sets, spreadLoad(sets, {}), policy, 1);
    std::string text;
    for (int i = 1; i <= 8; ++i) {
      text += letter(*balancer.pick(Keyed(absl::StrCat("127.0.0.", i))).host);
    }
    return text;
  }
  uint64_t gauge(const std::string& name) { return scope->gauge(name).value(); }

  stats::Store store{1, {}};
  const std::unique_ptr<stats::Scope> scope = store.root().scope("cluster.c");
  const base::SystemClock clock;
  const PolicyContext context{1, *scope, clock};
  std::vector<HostPtr> hosts;
};

TEST_F(HashPoliciesTest, RingSendsClientsWhereEnvoyDoes) {
  const auto policy = makeRingHash({}, context);
  EXPECT_EQ(eightClients(sets({1, 1, 1}), *policy), "CAACABBB");
  EXPECT_EQ(gauge("ring_hash_lb.size"), 1026u);
  EXPECT_EQ(gauge("ring_hash_lb.min_hashes_per_host"), 342u);
  EXPECT_EQ(gauge("ring_hash_lb.max_hashes_per_host"), 342u);
}

TEST_F(HashPoliciesTest, MaglevSendsClientsWhereEnvoyDoes) {
  const auto policy = makeMaglev({}, context);
  EXPECT_EQ(eightClients(sets({1, 1, 1}), *policy), "BBCABCBC");
  EXPECT_EQ(gauge("maglev_lb.min_entries_per_host"), 21845u);
  EXPECT_EQ(gauge("maglev_lb.max_entries_per_host"), 21846u);
}

TEST_F(HashPoliciesTest, WeightsGivePlacesInProportion) {
  const HostSets two = sets({3, 1});
  const auto maglev = makeMaglev({}, context);
  eightClients(two, *maglev);
  EXPECT_EQ(gauge("maglev_lb.max_entries_per_host"), 49152u);
  EXPECT_EQ(gauge("maglev_lb.min_entries_per_host"), 16385u);
  const auto ring = makeRingHash({}, context);
  eightClients(two, *ring);
  EXPECT_EQ(gauge("ring_hash_lb.min_hashes_per_host"), 256u);
  EXPECT_EQ(gauge("ring_hash_lb.max_hashes_per_host"), 768u);
}

TEST_F(HashPoliciesTest, TheRingHasAMaximum) {
  const auto policy = makeRingHash({.minimum_ring_size = 8, .maximum_ring_size = 8}, context);
  eightClients(sets({1, 1, 1}), *policy);
  EXPECT_EQ(gauge("ring_hash_lb.size"), 8u);
  EXPECT_EQ(gauge("ring_hash_lb.min_hashes_per_host"), 2u);
}

TEST_F(HashPoliciesTest, AllWorkersAgree) {
  const auto policy = makeRingHash({}, context);
  const HostSets three = sets({1, 1, 1});
  EXPECT_EQ(eightClients(three, *policy), eightClients(three, *policy));
}

TEST_F(HashPoliciesTest, AClientWithoutAKeyGoesAnywhere) {
  const auto policy = makeMaglev({.table_size = 101}, context);
  const HostSets three = sets({1, 1, 1});
  Balancer balancer(three, spreadLoad(three, {}), *policy, 1);
  std::map<char, int> counts;
  for (int i = 0; i < 3000; ++i) {
    counts[letter(*balancer.pick(LoadBalancerContext()).host)]++;
  }
  EXPECT_NEAR(counts['A'], 1000, 150);
  EXPECT_NEAR(counts['B'], 1000, 150);
}

TEST_F(HashPoliciesTest, ThePriorityFollowsFromTheKeyToo) {
  sets({1, 1});
  hosts[1]->setFlag(kFailedActiveHc, true);
  const HostSets two_priorities = sets({1}, 1);
  const auto policy = makeRingHash({}, context);
  const std::string first = eightClients(two_priorities, *policy);
  EXPECT_NE(first.find('A'), std::string::npos);
  EXPECT_NE(first.find('C'), std::string::npos);
  EXPECT_EQ(eightClients(two_priorities, *policy), first);
}

TEST_F(HashPoliciesTest, NoHostsNoChoice) {
  const HostSets none = makeHostSets({}, {});
  for (const auto& policy :
       {makeRingHash({}, context).release(), makeMaglev({}, context).release()}) {
    const std::unique_ptr<BalancingPolicy> owned(policy);
    Balancer balancer(none, spreadLoad(none, {}), *owned, 1);
    EXPECT_EQ(balancer.pick(Keyed("a")).host, nullptr);
  }
}

} // namespace
} // namespace culvert::upstream
