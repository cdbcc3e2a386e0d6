// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <thread>

#include "gtest/gtest.h"
#include "source/mesh/authorization.h"
#include "source/mesh/table_fixture.h"

namespace culvert::mesh {
namespace {

class TableThreadsTest : public TableFixture {
protected:
  std::vector<Change> mesh(int round) {
    std::vector<Change> changes;
    changes.push_back(makeService("s.host", {"10.96.0.1"}, {{80, 8080}},
                                  [&](Service& s) { s.canonical = round % 2 == 0; }));
    for (int i = 0; i < 100; i++) {
      changes.push_back(
          makeWorkload(absl::StrCat("w", i), {absl::StrCat("10.0.1.", i)}, [&](Workload& w) {
            hbone(w);
            w.capacity = static_cast<uint32_t>(round);
            behind(w, "s.host");
          }));
    }
    const Ref<Policy> policy(new Policy);
    policy->key = policy->name = text("deny");
    policy->action = Policy::Action::kDeny;
    policy->dry_run = round % 2 == 0;
    changes.push_back(PolicyRef(policy));
    return changes;
  }

  void read(std::atomic<bool>& ended, std::atomic<uint64_t>& decisions) {
    base::Random random(7);
    std::vector<RouteResult> kept;
    while (!ended) {
      const TableReader reader(table_);
      const Workload* client = reader.workload("client");
      RouteResult result =
          routeOutbound(reader, {*client, ip("10.0.0.1"), at("10.96.0.1:80"), Text()}, random);
      if (const Route* route = std::get_if<Route>(&result); route->workload) {
        EXPECT_TRUE(authorize(reader, *route->workload, {}).allowed);
      }
      kept.push_back(std::move(result)); // Outlives what is in the table.
      if (kept.size() > 100) {
        kept.clear();
      }
      decisions++;
    }
  }
};

TEST_F(TableThreadsTest, ReadersDecideWhileAWriterChangesEverything) {
  workload("client", {"10.0.0.1"}, hbone);
  apply(mesh(1));
  std::atomic<bool> ended{false};
  std::atomic<uint64_t> decisions{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; i++) {
    readers.emplace_back([&] { read(ended, decisions); });
  }
  for (int round = 2; round < 12 || decisions < 300; round++) {
    apply(mesh(round));
    for (int i = 0; i < 20; i++) {
      remove(ResourceKind::kWorkload, absl::StrCat("w", i));
    }
  }
  ended = true;
  for (std::thread& reader : readers) {
    reader.join();
  }
  EXPECT_EQ(table_.sizes().workloads, 81u);
}

TEST_F(TableThreadsTest, WhoeverIsToldOfAnUpdateFindsItDone) {
  workload("client", {"10.0.0.1"});
  std::atomic<uint64_t> rounds{0};
  const auto watch = table_.watch([&](const Touched& touched) {
    EXPECT_TRUE(touched.workloads);
    const TableReader reader(table_); // No lock is held here.
    rounds += reader.workload("late") != nullptr ? 1 : 0;
  });
  workload("late", {"10.0.0.2"});
  workload("late", {"10.0.0.2"}); // Nothing new.
  EXPECT_EQ(rounds, 1u);
}

} // namespace
} // namespace culvert::mesh
