// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/authorization.h"

#include "gtest/gtest.h"
#include "source/mesh/table_fixture.h"

namespace culvert::mesh {
namespace {

using Action = Policy::Action;
using Kind = TextMatch::Kind;

class AuthorizationTest : public TableFixture {
protected:
  AuthorizationTest() {
    workload("pod", {"10.0.0.2"}, [this](Workload& w) { w.ns = text("ns1"); });
    a_ = peer("10.1.0.1", "spiffe://td/ns/ns1/sa/a");
    b_ = peer("10.1.0.1", "spiffe://td2/ns/other/sa/b");
    plain_ = peer("10.1.0.1", "");
  }

  AuthorizationRequest peer(absl::string_view source, absl::string_view identity,
                            uint16_t port = 8080) {
    return {ip(source), Identity::parse(identity), ip("10.0.0.2"), port};
  }

  // Matches.
  TextMatch exact(absl::string_view value) { return {Kind::kExact, text(value)}; }
  TextMatch prefix(absl::string_view value) { return {Kind::kPrefix, text(value)}; }
  TextMatch suffix(absl::string_view value) { return {Kind::kSuffix, text(value)}; }
  TextMatch presence() { return {Kind::kPresence, Text()}; }
  template <class T> AttributeTest is(Attribute attribute, std::vector<T> values) {
    return {attribute, false, std::move(values)};
  }
  template <class T> AttributeTest isNot(Attribute attribute, std::vector<T> values) {
    return {attribute, true, std::move(values)};
  }
  std::vector<IpBlock> blocks(std::vector<std::string> spelled) {
    std::vector<IpBlock> blocks;
    for (const std::string& each : spelled) {
      blocks.push_back(*IpBlock::parse(each));
    }
    return blocks;
  }

  void policy(absl::string_view name, Action action, std::vector<PolicyRule> rules,
              const Edit<Policy>& edit = {}) {
    const Ref<Policy> policy(new Policy);
    policy->name = text(name);
    policy->ns = text("ns1");
    policy->scope = Policy::Scope::kNamespace;
    policy->action = action;
    policy->rules = std::move(rules);
    if (edit) {
      edit(*policy);
    }
    policy->key = text(policy->toString());
    apply({PolicyRef(policy)});
  }
  void only(Action action, PolicyMatch match) { policy("p", action, {{{std::move(match)}}}); }
  static void dryRun(Policy& policy) { policy.dry_run = true; }

  Verdict ask(const AuthorizationRequest& request, absl::string_view uid = "pod") {
    const TableReader reader(table_);
    return authorize(reader, *reader.workload(uid), request);
  }
  bool allows(const AuthorizationRequest& request) { return ask(request).allowed; }
  // Whether a single match fits the request.
  bool fits(PolicyMatch match, const AuthorizationRequest& request) {
    Policy policy;
    policy.rules = {{{std::move(match)}}};
    return matches(policy, request);
  }
  std::string notes(const AuthorizationRequest& request) {
    return absl::StrJoin(ask(request).notes, ", ", [](std::string* out, const Verdict::Note& note) {
      absl::StrAppend(out, note.text, note.policy.empty() ? "" : " ", note.policy.view());
    });
  }

  AuthorizationRequest a_;
  AuthorizationRequest b_;
  AuthorizationRequest plain_;
};

// The worked examples of mesh-data-plane 5.5, by their numbers.

TEST_F(AuthorizationTest, Example1WithoutPoliciesAllMay) {
  EXPECT_TRUE(allows(plain_));
  EXPECT_EQ(notes(plain_), "no allow policies, allow");
}

TEST_F(AuthorizationTest, Example2WithoutRulesNobodyIsAllowed) {
  policy("p", Action::kAllow, {});
  EXPECT_FALSE(allows(a_));
  EXPECT_EQ(ask(a_).reason(), "allow policies exist, but none allowed");
}

TEST_F(AuthorizationTest, Example3ARuleWithoutClausesAllowsAll) {
  policy("p", Action::kAllow, {{}});
  EXPECT_TRUE(allows(plain_));
}

TEST_F(AuthorizationTest, Example4AnEmptyMatchNeverMatches) {
  policy("p", Action::kAllow, {{{{}}}});
  EXPECT_FALSE(allows(a_));
}

TEST_F(AuthorizationTest, Example5StrictMutualTls) {
  only(Action::kDeny, {isNot(Attribute::kPrincipal, std::vector{presence()})});
  EXPECT_FALSE(allows(plain_));
  EXPECT_EQ(ask(plain_).reason(), "explicitly denied by: ns1/p");
  EXPECT_TRUE(allows(a_));
}

TEST_F(AuthorizationTest, Example6ClausesAllMatchesAny) { // T-53
  policy("p", Action::kAllow,
         {{{{is(Attribute::kNamespace, std::vector{exact("ns1")})},
            {is(Attribute::kNamespace, std::vector{exact("ns2")})}},
           {{is(Attribute::kDestinationPort, std::vector<uint16_t>{80})}}}});
  EXPECT_FALSE(allows(a_));
  EXPECT_TRUE(allows(peer("10.1.0.1", "spiffe://td/ns/ns1/sa/a", 80)));
}

TEST_F(AuthorizationTest, Example7APrincipalHasNoScheme) {
  only(Action::kAllow, {is(Attribute::kPrincipal, std::vector{exact("spiffe://td/ns/ns1/sa/a")})});
  EXPECT_FALSE(allows(a_));
  only(Action::kAllow, {is(Attribute::kPrincipal, std::vector{exact("td/ns/ns1/sa/a")})});
  EXPECT_TRUE(allows(a_));
}

TEST_F(AuthorizationTest, Example8DenyBeforeAllow) { // T-56
  policy("allow", Action::kAllow,
         {{{{is(Attribute::kServiceAccount,
                std::vector<ServiceAccountMatch>{{text("other"), text("b")}})}}}});
  policy("deny", Action::kDeny, {{{{is(Attribute::kSourceIp, blocks({"10.9.0.0/16"}))}}}});
  EXPECT_TRUE(allows(peer("10.8.0.1", "spiffe://td2/ns/other/sa/b")));
  EXPECT_FALSE(allows(peer("10.9.0.1", "spiffe://td2/ns/other/sa/b")));
  EXPECT_FALSE(allows(a_));
}

TEST_F(AuthorizationTest, Example9NegatedListsAreAnded) {
  only(Action::kDeny, {isNot(Attribute::kNamespace, std::vector{exact("ns1")}),
                       isNot(Attribute::kDestinationPort, std::vector<uint16_t>{9090})});
  EXPECT_FALSE(allows(b_));
  EXPECT_TRUE(allows(peer("10.1.0.1", "spiffe://td2/ns/other/sa/b", 9090)));
  EXPECT_FALSE(allows(plain_));
  EXPECT_TRUE(allows(a_));
}

TEST_F(AuthorizationTest, Example10ADryRunOnlySpeaks) { // T-56, T-57
  policy("dd", Action::kDeny, {{}}, dryRun);
  policy("da", Action::kAllow, {{{{is(Attribute::kPrincipal, std::vector{exact("x")})}}}}, dryRun);
  EXPECT_TRUE(allows(b_));
  EXPECT_EQ(notes(b_), "dry-run: deny policy match ns1/dd, dry-run: no allow policies match, "
                       "no allow policies, allow");
  policy("real", Action::kAllow, {{}});
  EXPECT_EQ(notes(b_), "dry-run: deny policy match ns1/dd, allow policy match ns1/real");
  policy("no", Action::kDeny, {{}});
  EXPECT_EQ(notes(b_), "dry-run: deny policy match ns1/dd, deny policy match ns1/no");
}

TEST_F(AuthorizationTest, Example12WhoCallsIsThePeerOfTheTunnel) {
  only(Action::kAllow, {is(Attribute::kPrincipal, std::vector{prefix("td/ns/ns1/")})});
  EXPECT_TRUE(allows(a_));
  EXPECT_FALSE(allows(peer("10.1.0.1", "spiffe://td/ns/ns2/sa/waypoint")));
}

TEST_F(AuthorizationTest, EveryListAndItsNegative) { // T-51
  const auto texts = [this](absl::string_view value) { return std::vector{exact(value)}; };
  const std::vector<ServiceAccountMatch> accounts = {{text("ns1"), text("a")}};
  struct Row {
    AttributeTest test;
    bool a, b, plain;
  };
  for (const Row& row : std::vector<Row>{
           {is(Attribute::kNamespace, texts("ns1")), true, false, false},
           {is(Attribute::kPrincipal, texts("td/ns/ns1/sa/a")), true, false, false},
           {is(Attribute::kServiceAccount, accounts), true, false, false},
           {is(Attribute::kSourceIp, blocks({"10.1.0.0/24", "fd00::/8"})), true, true, true},
           {is(Attribute::kSourceIp, blocks({"10.2.0.0/24"})), false, false, false},
           {is(Attribute::kDestinationIp, blocks({"10.0.0.2/32"})), true, true, true},
           {is(Attribute::kDestinationPort, std::vector<uint16_t>{1, 8080}), true, true, true},
           {is(Attribute::kDestinationPort, std::vector<uint16_t>{1}), false, false, false},
       }) {
    AttributeTest negated = row.test;
    negated.negated = true;
    EXPECT_EQ(fits({row.test}, a_), row.a);
    EXPECT_EQ(fits({row.test}, b_), row.b);
    EXPECT_EQ(fits({row.test}, plain_), row.plain);
    EXPECT_EQ(fits({negated}, a_), !row.a);
    EXPECT_EQ(fits({negated}, b_), !row.b);
    EXPECT_EQ(fits({negated}, plain_), !row.plain);
  }
}

TEST_F(AuthorizationTest, EmptyThings) { // T-52
  EXPECT_FALSE(matches(Policy(), a_));
  Policy policy;
  policy.rules = {{}};
  EXPECT_TRUE(matches(policy, a_));
  policy.rules = {{{}}};
  EXPECT_TRUE(matches(policy, a_)); // A clause without matches.
  policy.rules = {{{{}}}};
  EXPECT_FALSE(matches(policy, a_));
}

TEST_F(AuthorizationTest, Texts) { // T-54
  EXPECT_TRUE(exact("ab").matches("ab"));
  EXPECT_FALSE(exact("ab").matches("abc"));
  EXPECT_TRUE(prefix("ab").matches("abc"));
  EXPECT_FALSE(prefix("ab").matches("xab"));
  EXPECT_TRUE(suffix("bc").matches("abc"));
  EXPECT_FALSE(suffix("bc").matches("bcd"));
  EXPECT_FALSE(exact("AB").matches("ab"));
  EXPECT_TRUE(presence().matches("x"));
  EXPECT_FALSE(presence().matches(""));
  EXPECT_TRUE(exact("").matches(""));
  EXPECT_FALSE(prefix("a").matches(""));
}

TEST_F(AuthorizationTest, WithoutAnIdentityTheNamespaceIsEmptyAndThePrincipalIsNone) {
  EXPECT_TRUE(fits({is(Attribute::kNamespace, std::vector{exact("")})}, plain_));
  EXPECT_TRUE(fits({is(Attribute::kNamespace, std::vector{prefix("")})}, plain_));
  EXPECT_FALSE(fits({is(Attribute::kPrincipal, std::vector{prefix("")})}, plain_));
  EXPECT_FALSE(fits({is(Attribute::kPrincipal, std::vector{presence()})}, plain_));
}

TEST_F(AuthorizationTest, OtherNamespacesAreLeftAlone) { // T-56
  policy("p", Action::kDeny, {{}}, [this](Policy& p) { p.ns = text("ns2"); });
  EXPECT_TRUE(allows(a_));
  policy("p", Action::kDeny, {{}}, [](Policy& p) { p.scope = Policy::Scope::kGlobal; });
  EXPECT_FALSE(allows(a_));
}

TEST_F(AuthorizationTest, AChangedScopeCountsAtOnce) { // T-55
  policy("p", Action::kDeny, {{}});
  EXPECT_FALSE(allows(a_));
  policy("p", Action::kDeny, {{}}, [](Policy& p) { p.scope = Policy::Scope::kWorkloadSelector; });
  EXPECT_TRUE(allows(a_));
  workload("pod", {"10.0.0.2"}, [this](Workload& w) {
    w.ns = text("ns1");
    extras(w, [this](WorkloadExtras& e) { e.authorization_policies = {text("ns1/p")}; });
  });
  EXPECT_FALSE(allows(a_));
  remove(ResourceKind::kPolicy, "ns1/p");
  EXPECT_TRUE(allows(a_)); // Skipped, with a warning.
  EXPECT_TRUE(ask(a_).notes.front().warning);
}

} // namespace
} // namespace culvert::mesh
