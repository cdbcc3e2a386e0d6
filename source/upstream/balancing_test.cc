// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/balancing.h"

#include <algorithm>
#include <map>
#include <string>

#include "gtest/gtest.h"
#include "source/event/simulated_clock.h"
#include "source/upstream/policies.h"
#include "source/upstream/upstream.h"

namespace culvert::upstream {
namespace {

struct Described {
  uint32_t weight = 1;
  EndpointHealth health = EndpointHealth::kUnknown;
  uint32_t priority = 0;
  std::string zone = {};
};

// Hosts are called A, B, C, ...; a choice of a balancer is a string of them.
class BalancingTest : public testing::Test {
protected:
  HostSets sets(const std::vector<Described>& described) {
    hosts.clear();
    for (const Described& one : described) {
      EndpointConfig endpoint;
      endpoint.weight = one.weight;
      endpoint.health = one.health;
      LocalityConfig locality;
      locality.priority = one.priority;
      locality.locality.zone = one.zone;
      const uint16_t port = static_cast<uint16_t>(1 + hosts.size());
      hosts.push_back(std::make_shared<Host>(endpoint, locality,
                                             *net::Address::parseIp("127.0.0.1", port), "c"));
    }
    return makeHostSets(hosts,
                        {.turn = kTurn, .locality_weights = weights.empty() ? nullptr : &weights});
  }
  static Locality zone(const std::string& name) { return {"", name, ""}; }
  static char letter(const HostPtr& host) {
    return static_cast<char>('A' + host->address().port() - 1);
  }
  static std::string picks(Balancer& balancer, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      text += letter(*balancer.pick(LoadBalancerContext()).host);
    }
    return text;
  }
  static Balancer balance(const HostSets& sets, BalancingPolicy& policy, uint32_t panic = 50) {
    return Balancer(sets, spreadLoad(sets, {.panic_threshold_percent = panic}), policy, 1);
  }
  static std::map<char, int> shares(Balancer& balancer) {
    std::map<char, int> counts;
    for (const char c : picks(balancer, 10000)) {
      counts[c]++;
    }
    return counts;
  }

  static constexpr uint64_t kTurn = 1;
  std::vector<HostPtr> hosts;
  LocalityWeights weights;
};

TEST_F(BalancingTest, RoundRobinTakesEachInTurn) {
  const auto policy = makeRoundRobin(1);
  Balancer balancer = balance(sets({{}, {}, {}}), *policy);
  EXPECT_EQ(picks(balancer, 7), "BCABCAB");
}

TEST_F(BalancingTest, AllWorkersShareOneRotation) {
  const auto policy = makeRoundRobin(1);
  const HostSets three = sets({{}, {}, {}});
  Balancer first = balance(three, *policy);
  Balancer second = balance(three, *policy);
  EXPECT_EQ(picks(first, 1) + picks(second, 1) + picks(first, 1), "BCA");
}

TEST_F(BalancingTest, WeightedRoundRobinSettlesToEnvoysPeriod) {
  const auto policy = makeRoundRobin(1);
  Balancer balancer = balance(sets({{3}, {2}, {1}}), *policy);
  EXPECT_NE(picks(balancer, 24).find("CBAABACBAABA"), std::string::npos);
  picks(balancer, 60000); // It does not drift.
  EXPECT_NE(picks(balancer, 24).find("CBAABACBAABA"), std::string::npos);
  Balancer other = balance(sets({{5}, {7}, {3}}), *policy);
  EXPECT_NE(picks(other, 60).find("BABCABBACBABCABBABCABBACBABCAB"), std::string::npos);
}

TEST_F(BalancingTest, RandomTakesNoNoticeOfWeights) {
  const auto policy = makeRandom(1);
  Balancer balancer = balance(sets({{9}, {1}}), *policy);
  EXPECT_NEAR(shares(balancer)['A'], 5000, 300);
}

TEST_F(BalancingTest, LeastRequestAvoidsTheBusyHost) {
  const auto policy = makeLeastRequest({}, 1);
  Balancer balancer = balance(sets({{}, {}, {}, {}}), *policy);
  hosts[0]->state().rq_active = 5;
  EXPECT_NEAR(shares(balancer)['A'], 10000 / 16, 150); // Only when drawn twice.
}

TEST_F(BalancingTest, LeastRequestOverAllNeverTakesTheBusyHost) {
  const auto policy = makeLeastRequest({.full_scan = true}, 1);
  Balancer balancer = balance(sets({{}, {}, {}}), *policy);
  hosts[1]->state().rq_active = 1;
  const std::map<char, int> counts = shares(balancer);
  EXPECT_EQ(counts.count('B'), 0u);
  EXPECT_EQ(counts.size(), 2u);
}

TEST_F(BalancingTest, LeastRequestDividesTheWeightByTheLoad) {
  const auto policy = makeLeastRequest({}, 1);
  Balancer balancer = balance(sets({{9}, {1}}), *policy);
  hosts[0]->state().rq_active = 2; // 9 / 3 : 1
  EXPECT_NEAR(shares(balancer)['A'], 7500, 10);
}

TEST_F(BalancingTest, LeastRequestWithoutBiasIsWeightedRoundRobin) {
  const auto policy = makeLeastRequest({.active_request_bias = 0}, 1);
  Balancer balancer = balance(sets({{9}, {1}}), *policy);
  hosts[0]->state().rq_active = 2;
  EXPECT_NEAR(shares(balancer)['A'], 9000, 10);
}

TEST_F(BalancingTest, ANewHostGetsItsShareLittleByLittle) {
  event::SimulatedClock clock;
  const SlowStart slow_start({.window = std::chrono::seconds(100)}, clock);
  const HostSets two = sets({{}, {}});
  clock.advance(std::chrono::seconds(200));
  hosts[1]->setHealthySince(clock.now());
  const auto part = [&](BalancingPolicy& policy) {
    Balancer balancer = balance(two, policy);
    return shares(balancer)['B'];
  };
  for (const auto& policy :
       {makeRoundRobin(1, slow_start), makeLeastRequest({.slow_start = slow_start}, 1)}) {
    hosts[1]->setHealthySince(clock.now());
    EXPECT_NEAR(part(*policy), 10000 / 11, 10); // A tenth of the other's.
    clock.advance(std::chrono::seconds(50));
    EXPECT_NEAR(part(*policy), 10000 / 3, 10);
    clock.advance(std::chrono::seconds(51));
    EXPECT_NEAR(part(*policy), 5000, 300);
  }
}

TEST_F(BalancingTest, AggressionMakesItFasterAtFirst) {
  event::SimulatedClock clock;
  const SlowStart slow_start({.window = std::chrono::seconds(100), .aggression = 2}, clock);
  sets({{}});
  EXPECT_EQ(slow_start.factor(*hosts[0]), 1); // Not known since when.
  clock.advance(std::chrono::seconds(1));
  hosts[0]->setHealthySince(clock.now());
  EXPECT_EQ(slow_start.factor(*hosts[0]), 0.1);
  clock.advance(std::chrono::seconds(25));
  EXPECT_EQ(slow_start.factor(*hosts[0]), 0.5);
}

TEST_F(BalancingTest, UnhealthyAndDrainingHostsGetNothing) {
  const auto policy = makeRoundRobin(1);
  Balancer balancer = balance(
      sets({{}, {}, {.health = EndpointHealth::kUnhealthy}, {.health = EndpointHealth::kDraining}}),
      *policy);
  EXPECT_EQ(picks(balancer, 4), "BABA");
  EXPECT_FALSE(balancer.pick(LoadBalancerContext()).panic);
}

TEST_F(BalancingTest, BelowThePanicThresholdAllAreUsed) {
  const auto policy = makeRoundRobin(1);
  const Described sick = {.health = EndpointHealth::kUnhealthy};
  Balancer balancer = balance(sets({{}, sick, sick}), *policy);
  EXPECT_EQ(picks(balancer, 3), "BCA");
  EXPECT_TRUE(balancer.pick(LoadBalancerContext()).panic);
}

TEST_F(BalancingTest, WithoutPanicNoHostIsBetterThanASickOne) {
  const auto policy = makeRoundRobin(1);
  Balancer balancer = balance(sets({{.health = EndpointHealth::kUnhealthy}}), *policy, 0);
  EXPECT_EQ(balancer.pick(LoadBalancerContext()).host, nullptr);
}

TEST_F(BalancingTest, HalfAPrioritySendsThirtyPercentToTheNext) {
  const auto policy = makeRoundRobin(1);
  Balancer balancer =
      balance(sets({{}, {.health = EndpointHealth::kUnhealthy}, {.priority = 1}}), *policy);
  std::map<char, int> counts = shares(balancer);
  EXPECT_NEAR(counts['A'], 7000, 300);
  EXPECT_EQ(counts['A'] + counts['C'], 10000);
}

TEST_F(BalancingTest, DegradedHostsTakeWhatHealthyOnesCannot) {
  const auto policy = makeRoundRobin(1);
  Balancer balancer = balance(sets({{}, {.health = EndpointHealth::kDegraded}}), *policy);
  EXPECT_NEAR(shares(balancer)['A'], 7000, 300);
}

TEST_F(BalancingTest, APriorityMayHaveNoHosts) {
  const auto policy = makeRoundRobin(1);
  Balancer balancer = balance(sets({{.priority = 2}}), *policy);
  EXPECT_EQ(picks(balancer, 2), "AA");
}

TEST_F(BalancingTest, WhenAllPrioritiesPanicHostsCountAlike) {
  const Described sick0 = {.health = EndpointHealth::kUnhealthy};
  const Described sick1 = {.health = EndpointHealth::kUnhealthy, .priority = 1};
  const PriorityLoad load = spreadLoad(sets({sick0, sick1, sick1, sick1}), {});
  EXPECT_EQ(load.healthy, (std::vector<uint32_t>{25, 75}));
  EXPECT_EQ(load.panic, (std::vector<bool>{true, true}));
}

TEST_F(BalancingTest, LocalitiesShareByTheirWeights) {
  const auto policy = makeRoundRobin(1);
  weights = {{{0, zone("west")}, 3}, {{0, zone("east")}, 1}};
  Balancer balancer =
      balance(sets({{.zone = "west"}, {.zone = "east"}, {.zone = "east"}}), *policy);
  std::map<char, int> counts = shares(balancer);
  EXPECT_NEAR(counts['A'], 7500, 2);
  EXPECT_NEAR(counts['B'], 1250, 2);
}

TEST_F(BalancingTest, ALocalityWithoutAWeightGetsNothing) {
  const auto policy = makeRoundRobin(1);
  weights = {{{0, zone("west")}, 3}};
  Balancer balancer = balance(sets({{.zone = "west"}, {.zone = "east"}}), *policy);
  EXPECT_EQ(picks(balancer, 4), "AAAA");
}

TEST_F(BalancingTest, ALocalityLosesLoadForItsSickHosts) {
  const auto policy = makeRoundRobin(1);
  weights = {{{0, zone("west")}, 1}, {{0, zone("east")}, 1}};
  const Described sick = {.health = EndpointHealth::kUnhealthy, .zone = "west"};
  Balancer balancer =
      balance(sets({{.zone = "west"}, sick, {.zone = "east"}, {.zone = "east"}}), *policy);
  EXPECT_NEAR(shares(balancer)['A'], 10000 * 0.7 / 1.7, 10);
}

TEST_F(BalancingTest, InPanicLocalitiesDoNotMatter) {
  const auto policy = makeRoundRobin(1);
  weights = {{{0, zone("west")}, 9}, {{0, zone("east")}, 1}};
  const Described sick = {.health = EndpointHealth::kUnhealthy, .zone = "west"};
  Balancer balancer = balance(sets({sick, sick, {.zone = "east"}}), *policy);
  EXPECT_EQ(picks(balancer, 3), "BCA");
}

TEST_F(BalancingTest, HostsCanCountByWeight) {
  const Described heavy = {.weight = 9};
  const Described sick = {.health = EndpointHealth::kUnhealthy};
  const HostSets two = sets({heavy, sick, sick, {.priority = 1}});
  EXPECT_EQ(spreadLoad(two, {}).healthy, (std::vector<uint32_t>{46, 54}));
  EXPECT_EQ(spreadLoad(two, {.by_weight = true}).healthy, (std::vector<uint32_t>{100, 0}));
}

TEST(Host, NamesItsFlagsAsEnvoyDoes) {
  Host host({}, {}, *net::Address::parseIp("127.0.0.1", 1), "c");
  EXPECT_EQ(host.healthFlagsText(), "healthy");
  host.setFlag(kActiveHcTimeout, true);
  host.setFlag(kFailedActiveHc, true);
  EXPECT_EQ(host.healthFlagsText(), "/failed_active_hc/active_hc_timeout");
  host.setFlag(kFailedActiveHc, false);
  EXPECT_EQ(host.health(), HostHealth::kHealthy);
}

} // namespace
} // namespace culvert::upstream
