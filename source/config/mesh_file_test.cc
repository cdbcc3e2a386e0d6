// SPDX-License-Identifier: Apache-2.0
#include "source/config/mesh_file.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "source/base/clock.h"
#include "source/event/loop.h"
#include "source/mesh/authorization.h"
#include "source/mesh/state_json.h"
#include "source/mesh/table_reader.h"

namespace culvert::config {
namespace {

constexpr char kCart[] = R"(
workloads:
- uid: c1//Pod/shop/cart-0
  name: cart-0
  namespace: shop
  serviceAccount: cart
  trustDomain: cluster.local
  workloadIps: ["10.9.0.5", "fd00::5"]
  protocol: HBONE
  node: node-a
  clusterId: c1
  workloadName: cart
  workloadType: deployment
  canonicalName: cart
  canonicalRevision: v2
  services:
    "shop/cart.shop.svc.cluster.local": {80: 8080}
services:
- name: cart
  namespace: shop
  hostname: cart.shop.svc.cluster.local
  vips: ["/10.96.4.4"]
  ports: {80: 8080}
  canonical: true
  waypoint: {destination: shop/wp.shop.svc.cluster.local, hboneMtlsPort: 15008}
  loadBalancer: {routingPreferences: [Network, Zone], mode: Failover, healthPolicy: OnlyHealthy}
policies:
- name: only-web
  namespace: shop
  scope: Namespace
  action: Allow
  dryRun: false
  rules:
  - - - namespaces: [!Exact web]
        notSourceIps: ["192.0.2.0/24"]
    - - destinationPorts: [8080]
)";

class MeshFileTest : public testing::Test {
protected:
  // The problems of a text, a line each; "" if it is a state.
  std::string read(absl::string_view text, Format format = Format::kYaml) {
    Problems problems;
    state_ = {};
    readMeshState(text, format, "lab.yaml", table_, state_, problems);
    return absl::StrJoin(problems.errorLines(), "\n");
  }
  // Of one workload with these further fields.
  std::string workload(absl::string_view fields) {
    return read(absl::StrCat("workloads: [{uid: a, namespace: n, workloadIps: [], services: {}, ",
                             fields, "}]"));
  }
  std::string match(absl::string_view match) {
    return read(absl::StrCat("policies: [{name: p, namespace: n, scope: Global, action: Deny, "
                             "dryRun: false, rules: [[[",
                             match, "]]]}]"));
  }

  mesh::WorkloadTable table_;
  MeshState state_;
};

TEST_F(MeshFileTest, ReadsTheCompleteExample) {
  ASSERT_EQ(read(kCart), "");
  const mesh::Workload& cart = *state_.workloads.at(0);
  EXPECT_EQ(cart.identity().principal(), "cluster.local/ns/shop/sa/cart");
  EXPECT_EQ(cart.ips.at(1).toString(), "fd00::5");
  EXPECT_EQ(cart.protocol, mesh::TunnelProtocol::kHbone);
  EXPECT_EQ(cart.capacity, 1u);
  EXPECT_EQ(cart.services.at(0).service, "shop/cart.shop.svc.cluster.local");
  EXPECT_EQ(cart.services.at(0).ports.find(80), 8080);
  const mesh::Service& service = *state_.services.at(0);
  EXPECT_EQ(service.vips.at(0).ip.toString(), "10.96.4.4");
  EXPECT_EQ(service.waypoint->toString(), "shop/wp.shop.svc.cluster.local:15008");
  EXPECT_EQ(service.load_balancing->preferences.size(), 2u);
  const mesh::Policy& policy = *state_.policies.at(0);
  EXPECT_EQ(policy.key, "shop/only-web");
  mesh::AuthorizationRequest request{
      *mesh::Ip::parse("10.0.0.1"), mesh::Identity::parse("spiffe://td/ns/web/sa/x"), {}, 8080};
  EXPECT_TRUE(mesh::matches(policy, request));
  request.source = *mesh::Ip::parse("192.0.2.9");
  EXPECT_FALSE(mesh::matches(policy, request));
}

TEST_F(MeshFileTest, ReadsJson) {
  ASSERT_EQ(read(R"({"workloads": [{"workloadIps": ["10.9.0.5"], "namespace": "shop", "name": "w",
                     "services": {"shop/cart": {"80": 8080}}}],
                     "policies": [{"name": "p", "namespace": "n", "scope": "Global",
                     "action": "Deny", "dryRun": true, "rules":
                     [[[{"principals": [{"Prefix": "td/"}, {"Presence": []}]}]]]}]})",
                 Format::kJson),
            "");
  EXPECT_EQ(state_.workloads.at(0)->uid, "shop/w"); // Made of what it has.
  EXPECT_EQ(state_.workloads.at(0)->services.at(0).ports.find(80), 8080);
  EXPECT_EQ(std::get<0>(state_.policies.at(0)->rules[0][0][0][0].values).size(), 2u);
}

TEST_F(MeshFileTest, WhatAPageShowsIsTheFileAgain) {
  ASSERT_EQ(read(absl::StrCat(kCart, R"(
- {name: q, namespace: n, scope: Global, action: Deny, dryRun: true, rules: [[[{
    principals: [!Prefix a, !Suffix b, !Presence []],
    notServiceAccounts: [{namespace: n, serviceAccount: s}],
    destinationIps: [10.0.0.0/8], notDestinationPorts: [1, 2]}]]]}
)")),
            "");
  table_.apply({state_.workloads.at(0), state_.services.at(0), state_.policies.at(0),
                state_.policies.at(1)});
  nlohmann::json shown = mesh::stateJson(table_);
  EXPECT_EQ(shown["stagedServices"], nlohmann::json::object());
  EXPECT_EQ(shown["services"][0]["endpoints"]["c1//Pod/shop/cart-0"]["port"],
            (nlohmann::json{{"80", 8080}}));
  EXPECT_EQ(shown["workloads"][0]["services"][0], "shop/cart.shop.svc.cluster.local");
  // A page lists names where the file has a map with ports.
  shown.erase("stagedServices");
  shown["workloads"][0]["services"] = {{"shop/cart.shop.svc.cluster.local", {{"80", 8080}}}};
  shown["services"][0].erase("endpoints");
  const MeshState before = state_;
  ASSERT_EQ(read(shown.dump(), Format::kJson), "");
  EXPECT_EQ(*state_.workloads.at(0), *before.workloads.at(0));
  EXPECT_EQ(*state_.services.at(0), *before.services.at(0));
  EXPECT_EQ(*state_.policies.at(0), *before.policies.at(1)); // By key.
  EXPECT_EQ(*state_.policies.at(1), *before.policies.at(0));
}

TEST_F(MeshFileTest, AnEmptyFileIsAnEmptyMesh) {
  EXPECT_EQ(read(""), "");
  EXPECT_EQ(read("workloads: []"), "");
  EXPECT_EQ(read("{}", Format::kJson), "");
}

TEST_F(MeshFileTest, AnchorsWorkAcrossEntries) {
  EXPECT_EQ(
      read("workloads:\n"
           "- &a {name: x, namespace: n, workloadIps: [10.0.0.1], services: &s {n/s: {1: 2}}}\n"
           "- {name: y, namespace: n, workloadIps: [10.0.0.2], services: *s}\n"),
      "");
  EXPECT_EQ(state_.workloads.at(1)->services.at(0).service, "n/s");
}

TEST_F(MeshFileTest, SaysWhereAMistakeIs) {
  EXPECT_EQ(read("workloads:\n- namespace: n\n  workloadIps:\n  - 10.0.0.1\n  - 1.2.3\n"
                 "  services: {}\n"),
            "workloads[0].workloadIps[1] (lab.yaml:5:5): malformed IP address: 1.2.3");
  EXPECT_EQ(workload("protocl: HBONE"), "workloads[0].protocl (lab.yaml:1:67): there is no such "
                                        "field; did you mean 'protocol'?");
  EXPECT_EQ(workload("protocol: HBON"),
            "workloads[0].protocol (lab.yaml:1:77): 'HBON' is none of TCP, HBONE; did you mean "
            "'HBONE'?");
  EXPECT_EQ(workload("capacity: -1"),
            "workloads[0].capacity (lab.yaml:1:77): '-1' is no number from 0 to 4294967295");
  EXPECT_EQ(workload("locality: {region: r, zone: z}"),
            "workloads[0].locality.subzone (lab.yaml:1:77): is missing");
  EXPECT_EQ(workload("waypoint: {destination: wp}"),
            "workloads[0].waypoint.destination (lab.yaml:1:91): must be network/address or "
            "namespace/hostname");
  EXPECT_EQ(workload("name: a, name: b"),
            "workloads[0].name (lab.yaml:1:76): is here for the second time");
}

TEST_F(MeshFileTest, SaysEverythingThatIsWrong) {
  EXPECT_EQ(read("workloads: [{}]\nservices: {a: b}\npods: []\n"),
            "workloads[0].workloadIps (lab.yaml:1:13): is missing\n"
            "workloads[0].services (lab.yaml:1:13): is missing\n"
            "workloads[0].namespace (lab.yaml:1:13): is missing\n"
            "services (lab.yaml:2:11): must be a list\n"
            "pods (lab.yaml:3:1): there is no such field");
  EXPECT_NE(read("workloads: ["), "");
}

TEST_F(MeshFileTest, AListIsNoName) {
  EXPECT_EQ(read("[workloads]: []\n"),
            "(lab.yaml:1:1): a list or map can't be the name of a field");
  EXPECT_NE(read("services: []\n[workloads]: []\n"), "");
}

TEST_F(MeshFileTest, NamesDuplicates) {
  const char kEntry[] = "- {uid: a, namespace: n, workloadIps: [], services: {}}\n";
  EXPECT_EQ(read(absl::StrCat("workloads:\n", kEntry, kEntry)),
            "workloads[1] (lab.yaml:3:3): 'a' is already workloads[0] (line 2)");
}

TEST_F(MeshFileTest, AMatchIsNeverWiderThanItWasMeant) {
  EXPECT_NE(match("{principals: [plain]}"), "");
  EXPECT_NE(match("{principals: [!Other x]}"), "");
  EXPECT_NE(match("{sourceIps: [10.0.0.1]}"), ""); // Needs a prefix.
  EXPECT_NE(match("{destinationPorts: [65536]}"), "");
  EXPECT_NE(match("{namespace: [!Exact x]}"), "");
  EXPECT_NE(match("{serviceAccounts: [{namespace: x}]}"), "");
  EXPECT_EQ(match("{principals: [!Exact x], notPrincipals: [!Presence []]}"), "");
  EXPECT_EQ(state_.policies.at(0)->rules[0][0][0].size(), 2u);
}

// A file that changes under a running loop.
class MeshSourceTest : public testing::Test {
protected:
  MeshSourceTest() {
    char name[] = "/tmp/culvert_mesh_XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~MeshSourceTest() override {
    std::remove(path("mesh.yaml").c_str());
    std::remove(path("next").c_str());
    std::remove(folder_.c_str());
  }

  std::string path(absl::string_view name) const { return absl::StrCat(folder_, "/", name); }
  // Put there at once.
  void write(absl::string_view text) {
    std::ofstream(path("next")) << text;
    std::rename(path("next").c_str(), path("mesh.yaml").c_str());
  }
  absl::Status follow() {
    auto source = MeshSource::ofFile(path("mesh.yaml"), table_, watcher_);
    if (source.ok()) {
      source_ = *std::move(source);
    }
    return source.status();
  }
  static std::string of(std::vector<std::string> names) {
    std::string text = "workloads:\n";
    for (const std::string& name : names) {
      absl::StrAppend(&text, "- {name: ", name, ", namespace: n, workloadIps: [], services: {}}\n");
    }
    return text;
  }
  std::string workloads() {
    std::vector<std::string> names;
    const mesh::TableReader reader(table_);
    reader.forEachWorkload([&](const mesh::Workload& w) { names.push_back(w.name.string()); });
    std::sort(names.begin(), names.end());
    return absl::StrJoin(names, " ");
  }
  void runUntil(const std::string& expected) {
    const base::Instant deadline = clock_.now() + std::chrono::seconds(10);
    while (workloads() != expected && clock_.now() < deadline) {
      loop_.runOnce(false);
    }
    EXPECT_EQ(workloads(), expected);
  }

  const base::SystemClock clock_;
  event::Loop loop_{"main", clock_};
  event::FileWatcher watcher_{loop_};
  mesh::WorkloadTable table_;
  std::string folder_;
  std::unique_ptr<MeshSource> source_;
};

TEST_F(MeshSourceTest, FollowsAFile) {
  write(of({"a", "b"}));
  ASSERT_TRUE(follow().ok());
  EXPECT_EQ(workloads(), "a b");
  write(of({"b", "c"}));
  runUntil("b c");
}

TEST_F(MeshSourceTest, KeepsTheLastGoodState) {
  write(of({"a"}));
  ASSERT_TRUE(follow().ok());
  const size_t texts = table_.sizes().texts;
  write(of({"read"}) + "- {}\n");
  const base::Instant deadline = clock_.now() + std::chrono::seconds(10);
  while (table_.sizes().texts == texts && clock_.now() < deadline) {
    loop_.runOnce(false);
  }
  EXPECT_GT(table_.sizes().texts, texts); // It was read.
  EXPECT_EQ(workloads(), "a");
  write(of({"b"}));
  runUntil("b");
}

TEST_F(MeshSourceTest, LeavesWhatOthersPutThere) {
  write(of({"a"}));
  ASSERT_TRUE(follow().ok());
  const mesh::Ref<mesh::Workload> other(new mesh::Workload);
  other->uid = other->name = table_.texts().intern("other");
  table_.apply({mesh::WorkloadRef(other)});
  write(of({"b"}));
  runUntil("b other");
}

TEST_F(MeshSourceTest, WhatDidNotChangeTouchesNothing) {
  write(of({"a"}));
  ASSERT_TRUE(follow().ok());
  const uint64_t version = table_.workloadVersion();
  write(of({"a"}) + "\n# the same\n");
  write(of({"a", "b"}));
  runUntil("a b");
  EXPECT_EQ(table_.workloadVersion(), version + 1);
}

TEST_F(MeshSourceTest, ABadFirstFileIsAnError) {
  EXPECT_FALSE(follow().ok());
  write("workloads: [{}]");
  EXPECT_EQ(follow().message().substr(0, 24), "workloads[0].workloadIps");
  EXPECT_FALSE(MeshSource::ofText("pods: []", table_).ok());
  EXPECT_TRUE(MeshSource::ofText(of({"x"}), table_).ok());
  EXPECT_EQ(workloads(), "x");
}

} // namespace
} // namespace culvert::config
