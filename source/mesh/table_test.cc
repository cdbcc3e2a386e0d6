// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/table.h"

#include "gtest/gtest.h"
#include "source/mesh/table_fixture.h"

namespace culvert::mesh {
namespace {

class TableTest : public TableFixture {
protected:
  // The uid, or "-".
  std::string at(absl::string_view spelled) {
    const TableReader reader(table_);
    const Workload* found = reader.workloadAt(address(spelled));
    return found == nullptr ? "-" : found->uid.string();
  }
  // The namespace of the service at a VIP for a client, or "-".
  std::string vip(absl::string_view spelled, std::optional<absl::string_view> client_ns = "ns") {
    const TableReader reader(table_);
    return nameOf(reader.serviceAt(address(spelled), client_ns));
  }
  std::string host(absl::string_view client_ns, absl::string_view hostname) {
    const TableReader reader(table_);
    return nameOf(reader.serviceByHostname(client_ns, hostname));
  }
  static std::string nameOf(const Service* service) {
    return service == nullptr ? "-" : absl::StrCat(service->ns.view(), "/", service->name.view());
  }
  // Uids of a service's endpoints, those that are unhealthy in brackets; "-": no such service.
  std::string endpoints(absl::string_view hostname) {
    const TableReader reader(table_);
    const Service* service = reader.service("ns", hostname);
    if (service == nullptr) {
      return "-";
    }
    return absl::StrJoin(
        reader.endpoints(*service), " ", [](std::string* out, const Endpoint& endpoint) {
          const bool healthy = endpoint.health == Health::kHealthy;
          absl::StrAppend(out, healthy ? "" : "(", endpoint.uid.view(), healthy ? "" : ")");
        });
  }
  Edit<Service> in(absl::string_view ns, const Edit<Service>& more = {}) {
    return [=, this, ns = std::string(ns)](Service& s) {
      s.ns = text(ns);
      if (more) {
        more(s);
      }
    };
  }
  Edit<Service> block(absl::string_view spelled, absl::string_view ns = "ns") {
    return in(ns, [this, spelled = std::string(spelled)](Service& s) {
      const size_t slash = spelled.find('/');
      const bool named =
          slash != std::string::npos && spelled.find('/', slash + 1) != std::string::npos;
      s.cidr_vips.push_back({named ? text(spelled.substr(0, slash)) : Text(),
                             *IpBlock::parse(named ? spelled.substr(slash + 1) : spelled)});
    });
  }
  Edit<Workload> endpointOf(absl::string_view service) {
    return [this, name = std::string(service)](Workload& w) { behind(w, name); };
  }
  static void unhealthy(Workload& w) { w.health = Health::kUnhealthy; }
};

TEST_F(TableTest, AWorkloadIsFoundEveryWay) { // T-22, T-32
  workload("a", {"10.0.0.2", "fd00::2"}, [this](Workload& w) {
    extras(w, [this](WorkloadExtras& e) { e.hostname = text("a.host"); });
  });
  const TableReader reader(table_);
  EXPECT_EQ(reader.workload("a")->name, "a");
  EXPECT_EQ(reader.workloadAt(address("10.0.0.2")), reader.workload("a"));
  EXPECT_EQ(reader.workloadAt(address("fd00::2")), reader.workload("a"));
  EXPECT_EQ(reader.workloadByHostname("ns", "a.host"), reader.workload("a"));
  EXPECT_EQ(reader.localWorkload("a", "ns", "a"), reader.workload("a"));
  EXPECT_EQ(reader.workload("b"), nullptr);
  EXPECT_EQ(reader.workloadAt({Text::copy("other"), ip("10.0.0.2")}), nullptr);
  EXPECT_EQ(reader.workloadByHostname("other", "a.host"), nullptr);
  EXPECT_EQ(reader.localWorkload("a", "ns", "b"), nullptr);
}

TEST_F(TableTest, AReplacedWorkloadLeavesNothingBehind) { // T-32
  workload("a", {"10.0.0.2"}, [this](Workload& w) {
    extras(w, [this](WorkloadExtras& e) { e.hostname = text("a.host"); });
  });
  workload("a", {"10.0.0.3"});
  EXPECT_EQ(at("10.0.0.2"), "-");
  EXPECT_EQ(at("10.0.0.3"), "a");
  remove(ResourceKind::kWorkload, "a");
  remove(ResourceKind::kWorkload, "a"); // Harmless.
  EXPECT_EQ(at("10.0.0.3"), "-");
  const TableReader reader(table_);
  EXPECT_EQ(reader.workloadByHostname("ns", "a.host"), nullptr);
  EXPECT_EQ(reader.localWorkload("a", "ns", "a"), nullptr);
}

TEST_F(TableTest, ARecordOutlivesTheTablesInterest) {
  const WorkloadRef kept = [this] {
    workload("a", {"10.0.0.2"});
    const TableReader reader(table_);
    return WorkloadRef(reader.workload("a"));
  }();
  remove(ResourceKind::kWorkload, "a");
  table_.texts().sweep();
  EXPECT_EQ(kept->uid, "a");
}

TEST_F(TableTest, OnlyWorkloadsOfThisNodeAreLocal) {
  workload("a", {}, [this](Workload& w) { w.node = text("elsewhere"); });
  EXPECT_EQ(TableReader(table_).localWorkload("a", "ns", "a"), nullptr);
}

TEST_F(TableTest, TheBestOfSeveralAtOneAddressIsMeant) { // T-30
  const auto named = [this](absl::string_view uid, bool tunnels) {
    return [=, this](Workload& w) {
      w.uid = text(uid);
      w.protocol = tunnels ? TunnelProtocol::kHbone : TunnelProtocol::kTcp;
    };
  };
  workload("a", {"10.0.0.2"}, named("entry", true));
  workload("b", {"10.0.0.2"}, named("c//Pod/ns/b", false));
  EXPECT_EQ(at("10.0.0.2"), "c//Pod/ns/b");
  workload("c", {"10.0.0.2"}, named("c//Pod/ns/c", true));
  workload("d", {"10.0.0.2"}, named("c//Pod/ns/d", false));
  EXPECT_EQ(at("10.0.0.2"), "c//Pod/ns/c");
  workload("e", {"10.0.0.2"}, named("c//Pod/ns/e", true));
  EXPECT_EQ(at("10.0.0.2"), "c//Pod/ns/e"); // Of equals the one that came last.
  remove(ResourceKind::kWorkload, "c//Pod/ns/e");
  EXPECT_EQ(at("10.0.0.2"), "c//Pod/ns/c");
  remove(ResourceKind::kWorkload, "c//Pod/ns/c");
  EXPECT_EQ(at("10.0.0.2"), "c//Pod/ns/d");
  remove(ResourceKind::kWorkload, "c//Pod/ns/d");
  remove(ResourceKind::kWorkload, "c//Pod/ns/b");
  EXPECT_EQ(at("10.0.0.2"), "entry");
  remove(ResourceKind::kWorkload, "entry");
  EXPECT_EQ(at("10.0.0.2"), "-");
}

TEST_F(TableTest, AVipMayBelongToSeveralNamespaces) { // T-25
  service("s", {"10.96.0.1"}, {}, in("first"));
  service("s", {"10.96.0.1"}, {}, in("second"));
  EXPECT_EQ(vip("10.96.0.1", "second"), "second/s");
  EXPECT_EQ(vip("10.96.0.1", "third"), "first/s");
  service("s", {"10.96.0.1"}, {}, in("canonical", [](Service& s) { s.canonical = true; }));
  EXPECT_EQ(vip("10.96.0.1", "third"), "canonical/s");
  EXPECT_EQ(vip("10.96.0.1", "first"), "first/s");
  EXPECT_EQ(vip("10.96.0.1", std::nullopt), "canonical/s");
  EXPECT_EQ(host("third", "s"), "canonical/s");
  service("s", {"10.96.0.1"}, {}, in("later", [](Service& s) { s.canonical = true; }));
  EXPECT_EQ(vip("10.96.0.1", "third"), "later/s"); // Of several the last.
  remove(ResourceKind::kService, "later/s");
  EXPECT_EQ(host("second", "s"), "second/s");
}

TEST_F(TableTest, TwoHostsOfANamespaceMayShareAVip) {
  service("s", {"10.96.0.1"});
  service("t", {"10.96.0.1"});
  EXPECT_EQ(vip("10.96.0.1"), "ns/s");
  remove(ResourceKind::kService, "ns/s");
  EXPECT_EQ(vip("10.96.0.1"), "ns/t");
}

TEST_F(TableTest, APrivateServiceIsSeenInItsNamespaceOnly) { // T-26
  const auto secret = [](Service& s) { s.visibility = Visibility::kNamespace; };
  service("s", {"10.96.0.1"}, {}, in("own", secret));
  service("wide", {}, {}, block("10.96.0.0/16", "wide"));
  EXPECT_EQ(vip("10.96.0.1", "own"), "own/s");
  EXPECT_EQ(vip("10.96.0.1", "other"), "wide/wide"); // On to the blocks.
  EXPECT_EQ(vip("10.96.0.1", std::nullopt), "own/s");
  EXPECT_EQ(host("own", "s"), "own/s");
  EXPECT_EQ(host("other", "s"), "-");
  service("wide", {}, {}, [&](Service& s) {
    block("10.96.0.0/16", "wide")(s);
    secret(s);
  });
  EXPECT_EQ(vip("10.96.0.1", "other"), "-");
}

TEST_F(TableTest, AVipMayBeABlock) { // T-27
  service("wide", {}, {}, block("10.0.0.0/8"));
  service("narrow", {}, {}, block("10.96.0.0/16"));
  service("six", {}, {}, block("fd00::/8"));
  service("exact", {"10.96.0.1"});
  service("far", {}, {}, block("net/10.97.0.0/16"));
  EXPECT_EQ(vip("10.1.2.3"), "ns/wide");
  EXPECT_EQ(vip("10.96.2.3"), "ns/narrow");
  EXPECT_EQ(vip("10.96.0.1"), "ns/exact");
  EXPECT_EQ(vip("fd12::1"), "ns/six");
  EXPECT_EQ(vip("fe80::1"), "-");
  EXPECT_EQ(vip("10.97.0.1"), "ns/wide");
  EXPECT_EQ(vip("net/10.97.0.1"), "ns/far");
  remove(ResourceKind::kService, "ns/narrow");
  EXPECT_EQ(vip("10.96.2.3"), "ns/wide");
}

TEST_F(TableTest, TheOwnNamespacesBlockCountsMoreThanALongerOne) { // T-27
  service("wide", {}, {}, block("10.0.0.0/8", "own"));
  service("narrow", {}, {}, block("10.96.0.0/16", "other"));
  EXPECT_EQ(vip("10.96.2.3", "own"), "own/wide");
  EXPECT_EQ(vip("10.96.2.3", "third"), "other/narrow");
}

TEST_F(TableTest, ABlocksServiceMayChange) { // Stale entries would go on counting.
  service("s", {}, {{80, 1}}, block("10.96.0.0/16"));
  service("s", {}, {{80, 2}}, block("10.96.0.0/16"));
  workload("a", {"10.0.0.2"}, endpointOf("s"));
  EXPECT_EQ(TableReader(table_).serviceAt(address("10.96.1.1"), "ns")->ports.find(80), 2);
  remove(ResourceKind::kService, "ns/s");
  EXPECT_EQ(vip("10.96.1.1"), "-");
}

TEST_F(TableTest, EndpointsWaitForTheirService) { // T-28
  workload("a", {"10.0.0.2"}, endpointOf("s"));
  workload("b", {"10.0.0.3"}, endpointOf("s"));
  EXPECT_EQ(table_.sizes().staged, 1u);
  remove(ResourceKind::kWorkload, "b");
  service("s", {"10.96.0.1"});
  EXPECT_EQ(endpoints("s"), "a");
  EXPECT_EQ(table_.sizes().staged, 0u);
  workload("a", {"10.0.0.2"}, [&](Workload& w) {
    endpointOf("s")(w);
    unhealthy(w);
  });
  EXPECT_EQ(endpoints("s"), "(a)");
  workload("a", {"10.0.0.2"}); // Of no service any more.
  EXPECT_EQ(endpoints("s"), "");
}

TEST_F(TableTest, StagedEndpointsGoWithTheirWorkloads) { // T-28
  workload("a", {"10.0.0.2"}, endpointOf("s"));
  remove(ResourceKind::kWorkload, "a");
  EXPECT_EQ(table_.sizes().staged, 0u);
  apply({Removal{ResourceKind::kWorkload, "a"}, makeWorkload("a", {}, endpointOf("s")),
         makeService("s", {}, {})});
  EXPECT_EQ(endpoints("s"), "a");
}

TEST_F(TableTest, AServiceThatReturnsHasItsEndpointsAgain) {
  service("s", {"10.96.0.1"});
  workload("a", {"10.0.0.2"}, endpointOf("s"));
  remove(ResourceKind::kService, "ns/s");
  EXPECT_EQ(endpoints("s"), "-");
  service("s", {"10.96.0.1"});
  EXPECT_EQ(endpoints("s"), "a");
}

TEST_F(TableTest, AServiceMayListEndpointsItself) {
  const auto listing = [this](std::vector<std::string> uids) {
    return [=, this](Service& s) {
      for (const std::string& uid : uids) {
        s.endpoints.push_back({text(uid), ports({{80, 9}}), Health::kHealthy});
      }
    };
  };
  service("s", {}, {}, listing({"a", "b"}));
  workload("b", {"10.0.0.3"}, endpointOf("s"));
  workload("c", {"10.0.0.4"}, endpointOf("s"));
  EXPECT_EQ(endpoints("s"), "a b c");
  service("s", {}, {}, listing({"a"}));
  EXPECT_EQ(endpoints("s"), "a b c"); // b says so itself.
  workload("b", {"10.0.0.3"});
  EXPECT_EQ(endpoints("s"), "a c");
  service("s", {}, {});
  EXPECT_EQ(endpoints("s"), "c");
}

TEST_F(TableTest, OneUpdateIsTakenInOrderAndBadOnesByThemselves) { // T-33
  Ref<Policy> bad(new Policy);
  bad->key = text("ns/bad");
  bad->rules = {{{{{Attribute::kSourceIp, false, std::vector<IpBlock>()}}}}};
  const auto rejections = apply({
      makeService("s", {"10.96.0.1"}, {{80, 8080}}),
      makeWorkload("a", {"10.0.0.2"}, endpointOf("s")),
      makeWorkload("", {"10.0.0.9"}),
      PolicyRef(bad),
      makeWorkload("b", {"10.0.0.3"}, endpointOf("s")),
      Removal{ResourceKind::kWorkload, "a"},
  });
  ASSERT_EQ(rejections.size(), 2u);
  EXPECT_EQ(rejections[0].index, 2u);
  EXPECT_EQ(rejections[0].reason, "uid: must not be empty");
  EXPECT_EQ(rejections[1].index, 3u);
  EXPECT_EQ(rejections[1].reason, "rules: an empty list would match more than was meant");
  EXPECT_EQ(endpoints("s"), "b");
  EXPECT_EQ(at("10.0.0.9"), "-");
  EXPECT_EQ(table_.sizes().policies, 0u);
}

TEST_F(TableTest, ANamespaceHasNoSlash) { // Two services would have one key.
  const auto in_odd = [this](auto& record) { record.ns = text("a/b"); };
  const auto rejections = apply({makeService("c", {}, {}, in_odd), makeWorkload("w", {}, in_odd)});
  ASSERT_EQ(rejections.size(), 2u);
  EXPECT_EQ(rejections[0].reason, "namespace: must not contain /");
  EXPECT_EQ(rejections[1].reason, "namespace: must not contain /");
}

TEST_F(TableTest, ManyComeAndGo) {
  std::vector<Change> changes;
  for (int i = 0; i < 5000; i++) {
    changes.push_back(makeWorkload(
        absl::StrCat("w", i), {absl::StrCat("10.1.", i / 250, ".", i % 250)}, endpointOf("s")));
  }
  apply(changes);
  service("s", {"10.96.0.1"});
  EXPECT_EQ(at("10.1.19.249"), "w4999");
  {
    const TableReader reader(table_);
    EXPECT_EQ(reader.endpoints(*reader.service("ns", "s")).size(), 5000u);
  }
  for (Change& change : changes) {
    change = Removal{ResourceKind::kWorkload, std::get<WorkloadRef>(change)->uid.string()};
  }
  apply(changes);
  EXPECT_EQ(at("10.1.19.249"), "-");
  EXPECT_EQ(endpoints("s"), "");
  table_.texts().sweep();
  EXPECT_LT(table_.sizes().texts, 100u);
}

TEST_F(TableTest, WatchesHearOfWhatChanged) {
  std::vector<std::string> heard;
  const auto watch = table_.watch([&](const Touched& touched) {
    heard.push_back(absl::StrCat(touched.workloads ? "w" : "", touched.services ? "s" : "",
                                 touched.policies ? "p" : ""));
  });
  service("s", {"10.96.0.1"});
  service("s", {"10.96.0.1"}); // The same.
  workload("a", {"10.0.0.2"}, endpointOf("s"));
  const Ref<Policy> policy(new Policy);
  policy->key = text("ns/p");
  apply({PolicyRef(policy)});
  remove(ResourceKind::kPolicy, "ns/none");
  EXPECT_EQ(heard, (std::vector<std::string>{"s", "ws", "p"}));
  EXPECT_EQ(table_.policyVersion(), 1u);
  EXPECT_EQ(table_.workloadVersion(), 1u);
}

TEST_F(TableTest, AWatchMayEndOthers) {
  int calls = 0;
  std::unique_ptr<WorkloadTable::Watch> second;
  const auto first = table_.watch([&](const Touched&) { second.reset(); });
  second = table_.watch([&](const Touched&) { calls++; });
  workload("a", {});
  EXPECT_EQ(calls, 0);
}

} // namespace
} // namespace culvert::mesh
