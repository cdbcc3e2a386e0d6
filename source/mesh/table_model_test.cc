// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <set>

#include "gtest/gtest.h"
#include "source/mesh/table_fixture.h"

namespace culvert::mesh {
namespace {

// The table beside a model that only keeps records and looks through all of them.
class TableModelTest : public TableFixture {
protected:
  static constexpr int kNames = 8;
  static constexpr int kAddresses = 6;

  void step() {
    std::vector<Change> changes;
    for (uint64_t i = 0; i <= random_.below(4); i++) {
      changes.push_back(random_.below(2) == 0 ? workloadChange() : serviceChange());
    }
    EXPECT_TRUE(apply(changes).empty());
  }

  std::string pick(const char* kind) { return absl::StrCat(kind, random_.below(kNames)); }
  std::string addressOf(uint64_t i) { return absl::StrCat("10.0.0.", i); }

  Change workloadChange() {
    const std::string uid = absl::StrCat(pick("w"), random_.below(2) == 0 ? "//Pod/" : "");
    if (random_.below(3) == 0) {
      std::erase_if(workloads_, [&](const WorkloadRef& w) { return w->uid == uid; });
      return Removal{ResourceKind::kWorkload, uid};
    }
    WorkloadRef made = makeWorkload(uid, {}, [&](Workload& w) { vary(w); });
    const auto same = [&](const WorkloadRef& w) { return *w == *made; };
    if (std::none_of(workloads_.begin(), workloads_.end(), same)) { // Else it keeps its place.
      std::erase_if(workloads_, [&](const WorkloadRef& w) { return w->uid == made->uid; });
      workloads_.push_back(made);
    }
    return made;
  }
  void vary(Workload& w) {
    for (uint64_t i = random_.below(3); i > 0; i--) {
      w.ips.push_back(ip(addressOf(random_.below(kAddresses))));
    }
    for (uint64_t i = random_.below(3); i > 0; i--) {
      const Text service = text(absl::StrCat("ns/", pick("s")));
      const auto there = [&](const Membership& m) { return m.service == service; };
      if (std::none_of(w.services.begin(), w.services.end(), there)) {
        w.services.push_back({service, ports({{80, static_cast<uint16_t>(random_.below(3))}})});
      }
    }
    w.protocol = random_.below(2) == 0 ? TunnelProtocol::kHbone : TunnelProtocol::kTcp;
    w.network_mode = random_.below(4) == 0 ? NetworkMode::kHostNetwork : NetworkMode::kStandard;
    w.health = random_.below(3) == 0 ? Health::kUnhealthy : Health::kHealthy;
    w.node = text(random_.below(3) == 0 ? "elsewhere" : "node");
  }

  Change serviceChange() {
    const std::string name = pick("s");
    if (random_.below(3) == 0) {
      services_.erase(absl::StrCat("ns/", name));
      return Removal{ResourceKind::kService, absl::StrCat("ns/", name)};
    }
    ServiceRef made = makeService(name, {}, {{80, 8080}}, [&](Service& s) {
      for (uint64_t i = random_.below(3); i > 0; i--) {
        s.vips.push_back({Text(), ip(absl::StrCat("10.96.0.", random_.below(kAddresses)))});
      }
      for (uint64_t i = random_.below(2); i > 0; i--) {
        s.endpoints.push_back({text(pick("w")), {}, Health::kHealthy});
      }
    });
    services_[made->key.string()] = made;
    return made;
  }

  // What the model says, in one text; and what the table says.
  std::string model() const;
  std::string table() const;

  static int rank(const Workload& w) {
    return (w.isPod() ? 2 : 0) + (w.protocol == TunnelProtocol::kHbone ? 1 : 0);
  }
  static std::string say(const std::map<std::string, Endpoint>& endpoints) {
    std::string text;
    for (const auto& [uid, endpoint] : endpoints) {
      absl::StrAppend(&text, " ", uid, "=", endpoint.ports.find(80).value_or(0),
                      endpoint.health == Health::kHealthy ? "" : "!");
    }
    return text;
  }

  std::vector<WorkloadRef> workloads_; // In the order in which they came.
  std::map<std::string, ServiceRef> services_;
};

std::string TableModelTest::model() const {
  std::string said;
  for (int i = 0; i < kAddresses; i++) {
    const Workload* best = nullptr;
    for (const WorkloadRef& w : workloads_) {
      if (w->network_mode == NetworkMode::kStandard && w->hasIp(ip(absl::StrCat("10.0.0.", i))) &&
          (best == nullptr || rank(*w) >= rank(*best))) {
        best = w.get();
      }
    }
    absl::StrAppend(&said, i, ":", best == nullptr ? "-" : best->uid.view(), "\n");
  }
  for (const WorkloadRef& w : workloads_) {
    absl::StrAppend(&said, w->node == "node" ? "local " + w->uid.string() + "\n" : "");
  }
  for (const auto& [key, service] : services_) {
    std::map<std::string, Endpoint> endpoints;
    for (const Endpoint& endpoint : service->endpoints) {
      endpoints[endpoint.uid.string()] = endpoint;
    }
    for (const WorkloadRef& w : workloads_) {
      for (const Membership& membership : w->services) {
        if (membership.service.view() == key) {
          endpoints[w->uid.string()] = {w->uid, membership.ports, w->health};
        }
      }
    }
    absl::StrAppend(&said, key, ":", say(endpoints), "\n");
  }
  for (int i = 0; i < kAddresses; i++) {
    const auto has = [&](const auto& pair) {
      const auto& vips = pair.second->vips;
      return std::find(vips.begin(), vips.end(),
                       NetworkAddress{Text(), ip(absl::StrCat("10.96.0.", i))}) != vips.end();
    };
    absl::StrAppend(&said, "vip ", std::any_of(services_.begin(), services_.end(), has), "\n");
  }
  return said;
}

std::string TableModelTest::table() const {
  std::string said;
  const TableReader reader(table_);
  for (int i = 0; i < kAddresses; i++) {
    const Workload* best = reader.workloadAt({Text(), ip(absl::StrCat("10.0.0.", i))});
    absl::StrAppend(&said, i, ":", best == nullptr ? "-" : best->uid.view(), "\n");
  }
  for (const WorkloadRef& w : workloads_) {
    const bool local = reader.localWorkload(w->name, "ns", w->service_account) != nullptr;
    absl::StrAppend(&said, local ? "local " + w->uid.string() + "\n" : "");
  }
  for (const auto& [key, service] : services_) {
    std::map<std::string, Endpoint> endpoints;
    const Service* found = reader.serviceByKey(key);
    if (found == nullptr) {
      absl::StrAppend(&said, key, " is missing\n");
      continue;
    }
    for (const Endpoint& endpoint : reader.endpoints(*found)) {
      EXPECT_TRUE(endpoints.emplace(endpoint.uid.string(), endpoint).second);
    }
    absl::StrAppend(&said, key, ":", say(endpoints), "\n");
  }
  for (int i = 0; i < kAddresses; i++) {
    const Service* found = reader.serviceAt({Text(), ip(absl::StrCat("10.96.0.", i))}, "ns");
    absl::StrAppend(&said, "vip ", found != nullptr, "\n");
  }
  return said;
}

TEST_F(TableModelTest, IsFoundAsByLookingThroughAll) {
  for (uint64_t seed = 1; seed <= 30; seed++) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    random_ = base::Random(seed);
    for (int i = 0; i < 40; i++) {
      step();
      ASSERT_EQ(table(), model()) << "step " << i;
    }
  }
  EXPECT_EQ(table_.sizes().workloads, workloads_.size());
  EXPECT_EQ(table_.sizes().services, services_.size());
}

} // namespace
} // namespace culvert::mesh
