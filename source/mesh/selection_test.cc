// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/selection.h"

#include <map>

#include "gtest/gtest.h"
#include "source/mesh/table_fixture.h"

namespace culvert::mesh {
namespace {

using Mode = LoadBalancing::Mode;
using Scope = LoadBalancing::Scope;

class SelectionTest : public TableFixture {
protected:
  SelectionTest() {
    workload("client", {"10.0.0.1"}, [this](Workload& w) { place(w, "net", "r", "z"); });
  }

  void place(Workload& w, absl::string_view network, absl::string_view region,
             absl::string_view zone) {
    w.network = text(network);
    w.locality = {text(region), text(zone), Text()};
  }
  void endpoint(absl::string_view name, absl::string_view network, absl::string_view region,
                absl::string_view zone, uint32_t capacity = 1) {
    workload(name, {absl::StrCat("10.0.1.", ++last_ip_)}, [&](Workload& w) {
      place(w, network, region, zone);
      w.capacity = capacity;
      behind(w, "s");
    });
  }
  void balanced(Mode mode, std::vector<Scope> preferences,
                HealthPolicy health = HealthPolicy::kOnlyHealthy) {
    service("s", {}, {{80, 8080}},
            [&](Service& s) { s.load_balancing = LoadBalancing{preferences, mode, health}; });
  }
  // How often each is chosen in `rounds`; "-": nobody is.
  std::map<std::string, int> chosen(int rounds = 100,
                                    SelectionMode mode = SelectionMode::kStandard) {
    std::map<std::string, int> counts;
    const TableReader reader(table_);
    for (int i = 0; i < rounds; i++) {
      const auto upstream = balance(reader, *reader.workload("client"), *reader.service("ns", "s"),
                                    80, mode, random_);
      counts[upstream.has_value() ? upstream->workload->name.string() : "-"]++;
    }
    return counts;
  }
  std::string who() {
    return absl::StrJoin(chosen(), " ",
                         [](std::string* out, const auto& pair) { out->append(pair.first); });
  }

  int last_ip_ = 0;
};

TEST_F(SelectionTest, WithoutPreferencesAllAreChosen) {
  service("s", {});
  endpoint("a", "net", "r", "z");
  endpoint("b", "far", "", "");
  EXPECT_EQ(who(), "a b");
}

TEST_F(SelectionTest, StrictWantsAllOrNobody) { // T-24
  balanced(Mode::kStrict, {Scope::kNetwork, Scope::kRegion});
  endpoint("a", "net", "other", "z");
  EXPECT_EQ(who(), "-");
  endpoint("b", "net", "r", "other");
  EXPECT_EQ(who(), "b");
}

TEST_F(SelectionTest, FailoverTakesTheNearestThereIs) { // T-24
  balanced(Mode::kFailover, {Scope::kNetwork, Scope::kRegion, Scope::kZone});
  const std::vector<std::array<const char*, 4>> nearer = {
      {"none", "far", "other", "other"},  {"region", "far", "r", "other"},
      {"region+zone", "far", "r", "z"},   {"network", "net", "other", "z"},
      {"network+region", "net", "r", ""}, {"all", "net", "r", "z"},
  };
  for (const auto& [name, network, region, zone] : nearer) {
    endpoint(name, network, region, zone);
    EXPECT_EQ(who(), name);
  }
}

TEST_F(SelectionTest, TheWalkEndsAtTheFirstThatDiffers) {
  balanced(Mode::kFailover, {Scope::kRegion, Scope::kZone, Scope::kNode});
  endpoint("zone-only", "net", "other", "z");
  endpoint("nothing", "net", "other", "other");
  EXPECT_EQ(who(), "nothing zone-only");
}

TEST_F(SelectionTest, NobodyWithoutAnAddressIsChosen) { // T-24
  service("s", {});
  workload("bare", {}, [this](Workload& w) { behind(w, "s"); });
  EXPECT_EQ(who(), "-");
  workload("gone", {"10.0.0.8"}, [this](Workload& w) { behind(w, "s"); });
  EXPECT_EQ(who(), "gone");
}

TEST_F(SelectionTest, TheSickAreLeftOutUnlessAllAreAllowed) { // T-29
  balanced(Mode::kStandard, {});
  workload("sick", {"10.0.0.8"}, [this](Workload& w) {
    behind(w, "s");
    w.health = Health::kUnhealthy;
  });
  EXPECT_EQ(who(), "-");
  balanced(Mode::kStandard, {}, HealthPolicy::kAllowAll);
  EXPECT_EQ(who(), "sick"); // At once, whenever it was told of.
}

TEST_F(SelectionTest, CapacityIsAWeight) {
  service("s", {});
  endpoint("never", "net", "r", "z", 0);
  EXPECT_EQ(who(), "-");
  endpoint("one", "net", "r", "z", 1);
  endpoint("three", "net", "r", "z", 3);
  const auto counts = chosen(4000);
  EXPECT_EQ(counts.count("never"), 0u);
  EXPECT_NEAR(counts.at("three"), 3000, 150);
}

TEST_F(SelectionTest, PortsComeFromEndpointServiceOrTunnel) { // T-23
  service("s", {}, {{80, 8080}, {81, 0}, {82, 0}});
  workload("a", {"10.0.1.1"}, [this](Workload& w) { behind(w, "s", {{80, 9090}}); });
  const auto port = [this](uint16_t service_port) -> int {
    const TableReader reader(table_);
    const auto upstream = balance(reader, *reader.workload("client"), *reader.service("ns", "s"),
                                  service_port, SelectionMode::kWaypoint, random_);
    return upstream.has_value() ? upstream->port : -1;
  };
  EXPECT_EQ(port(80), 9090);
  EXPECT_EQ(port(82), -1); // Nobody knows.
  workload("a", {"10.0.1.1"}, [this](Workload& w) {
    behind(w, "s");
    extras(w, [](WorkloadExtras& e) { e.app_tunnel = {AppTunnel::Protocol::kProxy, 15088}; });
  });
  EXPECT_EQ(port(80), 8080);
  EXPECT_EQ(port(82), 82);
  EXPECT_EQ(port(15008), 15008); // The service does not list it at all.
}

TEST_F(SelectionTest, WaypointsAreDrawnByWeight) { // T-20
  const auto draws = [this](std::vector<uint32_t> weights) {
    const ServiceRef made = makeService("w", {}, {}, [&](Service& s) {
      s.waypoint = gateway("ns/single:1");
      for (size_t i = 0; i < weights.size(); i++) {
        s.weighted_waypoints.push_back({gateway(absl::StrCat("ns/w", i, ":1")), weights[i]});
      }
    });
    std::map<std::string, int> counts;
    for (int i = 0; i < 4000; i++) {
      counts[waypointOf(*made, random_)->toString()]++;
    }
    return counts;
  };
  using Counts = std::map<std::string, int>;
  EXPECT_EQ(draws({}), (Counts{{"ns/single:1", 4000}}));
  EXPECT_EQ(draws({0, 0}), (Counts{{"ns/single:1", 4000}}));
  EXPECT_EQ(draws({0, 1}), (Counts{{"ns/w1:1", 4000}}));
  EXPECT_NEAR(draws({75, 25}).at("ns/w0:1"), 3000, 150);
}

TEST_F(SelectionTest, WaypointsByNameArePassthroughToo) {
  balanced(Mode::kPassthrough, {});
  endpoint("wp", "net", "r", "z");
  const TableReader reader(table_);
  EXPECT_TRUE(gatewayUpstream(reader, *reader.workload("client"), gateway("ns/s:80"), ip("1.1.1.1"),
                              SelectionMode::kWaypoint, random_)
                  .has_value());
}

} // namespace
} // namespace culvert::mesh
