// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/inbound_connections.h"

#include <deque>

#include "gtest/gtest.h"
#include "source/mesh/table_fixture.h"

namespace culvert::mesh {
namespace {

class InboundConnectionsTest : public TableFixture {
protected:
  InboundConnectionsTest() { workload("pod", {"10.0.0.2"}); }

  struct Connection {
    explicit Connection(std::vector<std::string>& log, std::string name)
        : log_(log), name_(std::move(name)) {}
    void onDenied(const Verdict& verdict) {
      log_.push_back(absl::StrCat(name_, " ", verdict.reason()));
      if (also_ends_ != nullptr) {
        also_ends_->holder_.release();
      }
    }
    std::vector<std::string>& log_;
    const std::string name_;
    Connection* also_ends_ = nullptr;
    InboundConnections::Holder holder_;
  };

  InboundConnections::Key key(uint16_t port, absl::string_view identity = "") {
    return {at("10.1.0.1:4000"), at("10.0.0.2:80").withPort(port), Identity::parse(identity),
            text("pod"), ""};
  }
  Connection& connect(uint16_t port, std::string name) {
    Connection& connection = connections_.emplace_back(ended_, std::move(name));
    all_.enter(connection.holder_, key(port), pod(),
               base::Delegate<void(const Verdict&)>::to<&Connection::onDenied>(&connection));
    return connection;
  }
  WorkloadRef pod() { return WorkloadRef(TableReader(table_).workload("pod")); }
  void deny(uint16_t port, Policy::Scope scope = Policy::Scope::kGlobal) {
    const Ref<Policy> policy(new Policy);
    policy->key = text("ns/p");
    policy->ns = text("ns");
    policy->name = text("p");
    policy->scope = scope;
    policy->action = Policy::Action::kDeny;
    policy->rules = {{{{{Attribute::kDestinationPort, false, std::vector<uint16_t>{port}}}}}};
    apply({PolicyRef(policy)});
  }

  std::vector<std::string> ended_;
  InboundConnections all_{table_};
  std::deque<Connection> connections_;
};

TEST_F(InboundConnectionsTest, EqualOnesShareAnEntry) { // T-48
  connect(80, "a");
  connect(80, "b");
  connect(81, "c");
  EXPECT_EQ(all_.entries(), 2u);
  EXPECT_EQ(all_.holders(key(80)), 2u);
  Verdict verdict;
  verdict.allowed = false;
  all_.close(key(80), verdict);
  EXPECT_EQ(ended_.size(), 2u);
  EXPECT_EQ(all_.entries(), 1u);
  EXPECT_EQ(all_.holders(key(81)), 1u);
}

TEST_F(InboundConnectionsTest, TheLastOneLeavesNoEntry) { // T-49
  Connection& a = connect(80, "a");
  connect(80, "b");
  a.holder_.release();
  EXPECT_EQ(all_.entries(), 1u);
  connections_.clear();
  EXPECT_EQ(all_.entries(), 0u);
}

TEST_F(InboundConnectionsTest, AChangeEndsWhatIsNowDenied) { // T-50
  connect(80, "a");
  connect(80, "b");
  connect(81, "c");
  EXPECT_EQ(all_.recheck(), 0u);
  deny(80);
  EXPECT_EQ(all_.recheck(), 2u);
  EXPECT_EQ(ended_, (std::vector<std::string>{"a explicitly denied by: ns/p",
                                              "b explicitly denied by: ns/p"}));
  EXPECT_EQ(all_.entries(), 1u);
}

TEST_F(InboundConnectionsTest, APolicyGivenToTheWorkloadLaterCounts) {
  Connection& a = connect(80, "a");
  deny(80, Policy::Scope::kWorkloadSelector);
  EXPECT_EQ(all_.recheck(), 0u);
  EXPECT_TRUE(all_.judge(a.holder_).allowed);
  workload("pod", {"10.0.0.2"}, [this](Workload& w) {
    extras(w, [this](WorkloadExtras& e) { e.authorization_policies = {text("ns/p")}; });
  });
  EXPECT_FALSE(all_.judge(a.holder_).allowed);
  EXPECT_EQ(all_.recheck(), 1u);
}

TEST_F(InboundConnectionsTest, AWorkloadThatIsGoneIsJudgedByItsLastRecord) {
  connect(80, "a");
  remove(ResourceKind::kWorkload, "pod");
  EXPECT_EQ(all_.recheck(), 0u);
  deny(80);
  EXPECT_EQ(all_.recheck(), 1u);
}

TEST_F(InboundConnectionsTest, ACallbackMayEndOthers) {
  Connection& a = connect(80, "a");
  Connection& b = connect(80, "b");
  Connection& c = connect(80, "c");
  a.also_ends_ = &b;
  c.also_ends_ = &c;
  deny(80);
  EXPECT_EQ(all_.recheck(), 2u);
  EXPECT_FALSE(b.holder_.held());
  EXPECT_EQ(all_.entries(), 0u);
}

} // namespace
} // namespace culvert::mesh
