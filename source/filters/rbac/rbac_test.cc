// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "test/kit/filter_fixture.h"

namespace culvert {
namespace {

using std::chrono::milliseconds;

constexpr char kAny[] = "permissions { any: true } principals { any: true }";
constexpr char kPort1[] = "permissions { destination_port: 1 } principals { any: true }";

// Rules of one policy, "only".
std::string rules(absl::string_view action, absl::string_view policy) {
  return absl::StrCat("action: ", action, " policies { key: 'only' value {", policy, "} }");
}

std::string enforced(absl::string_view rules, absl::string_view more = "") {
  return absl::StrCat("stat_prefix: 'guard' rules {", rules, "} ", more);
}

// Whether one byte from 10.0.0.1 to 10.0.0.2:80 passes.
bool passes(absl::string_view config) {
  FilterFixture filter("rbac", config);
  filter.open();
  filter.fromPeer("x");
  EXPECT_NE(filter.isClosed(), filter.toBehind() == "x");
  return !filter.isClosed();
}

bool permits(absl::string_view permission) {
  return passes(enforced(
      rules("ALLOW", absl::StrCat("permissions {", permission, "} principals { any: true }"))));
}

bool knows(absl::string_view principal) {
  return passes(enforced(
      rules("ALLOW", absl::StrCat("permissions { any: true } principals {", principal, "}"))));
}

std::string refusal(absl::string_view rules) {
  return std::string(FilterFixture::load("rbac", enforced(rules)).message());
}

TEST(Rbac, LetsPassWhatNoRuleIsAbout) { EXPECT_TRUE(passes("stat_prefix: 'guard'")); }

TEST(Rbac, DeniesEverythingByRulesWithoutPolicies) {
  EXPECT_FALSE(passes("stat_prefix: 'guard' rules {}"));
  EXPECT_TRUE(passes("stat_prefix: 'guard' rules { action: DENY }"));
}

TEST(Rbac, AllowsDeniesOrOnlyLogsWhatMatches) {
  EXPECT_TRUE(passes(enforced(rules("ALLOW", kAny))));
  EXPECT_FALSE(passes(enforced(rules("ALLOW", kPort1))));
  EXPECT_FALSE(passes(enforced(rules("DENY", kAny))));
  EXPECT_TRUE(passes(enforced(rules("DENY", kPort1))));
  EXPECT_TRUE(passes(enforced(rules("LOG", kAny))));
  EXPECT_TRUE(passes(enforced(rules("LOG", kPort1))));
}

TEST(Rbac, NeedsAPermissionAndAPrincipal) {
  EXPECT_FALSE(knows("not_id { any: true }"));
  EXPECT_TRUE(passes(enforced(rules("ALLOW", R"pb(permissions { destination_port: 1 }
                                                  permissions { any: true }
                                                  principals { not_id { any: true } }
                                                  principals { any: true })pb"))));
}

TEST(Rbac, JudgesAtTheFirstByteAndNotAgain) {
  FilterFixture filter("rbac", enforced(rules("ALLOW", kAny)));
  filter.open();
  filter.fromBehind("greeting");
  EXPECT_EQ(filter.stat("guard.rbac.allowed"), 0u);
  filter.fromPeer("one");
  filter.fromPeer("two");
  EXPECT_EQ(filter.stat("guard.rbac.allowed"), 1u);
  EXPECT_EQ(filter.toBehind(), "onetwo");
}

TEST(Rbac, JudgesAPeerThatOnlyHalfCloses) {
  FilterFixture filter("rbac", enforced(rules("DENY", kAny)));
  filter.open();
  filter.endFromPeer();
  EXPECT_EQ(filter.closed(), CloseReason::local("rbac_deny_close"));
}

TEST(Rbac, JudgesEachReadWhenContinuous) {
  FilterFixture filter(
      "rbac", enforced(rules("ALLOW", kAny), "enforcement_type: CONTINUOUS shadow_rules {}"));
  filter.open();
  filter.fromPeer("one");
  filter.fromPeer("two");
  EXPECT_EQ(filter.stat("guard.rbac.allowed"), 2u);
  EXPECT_EQ(filter.stat("guard.rbac.shadow_denied"), 2u);
}

TEST(Rbac, SaysWhichPolicyDenied) {
  FilterFixture filter(
      "rbac", absl::StrCat("stat_prefix: 'guard.' rules { action: DENY policies { key: 'z' value {",
                           kAny, "} } policies { key: 'a b\\tc' value {", kAny, "} } }"));
  filter.open();
  filter.fromPeer("x");
  EXPECT_EQ(filter.info().termination_details, "rbac_access_denied_matched_policy[a_b_c]");
  EXPECT_EQ(filter.info().local_close_reason, "rbac_deny_close");
  EXPECT_EQ(filter.stat("guard.rbac.denied"), 1u);
}

TEST(Rbac, PutsTheCloseOffAndReadsNothingMeanwhile) {
  FilterFixture filter("rbac", enforced("", "delay_deny { seconds: 1 }"));
  filter.open();
  filter.fromPeer("x");
  filter.fromPeer("y");
  EXPECT_EQ(filter.stat("guard.rbac.denied"), 1u);
  filter.fromBehind("more");
  EXPECT_EQ(filter.toPeer(), "more");
  filter.advance(milliseconds(999));
  EXPECT_FALSE(filter.isClosed());
  filter.advance(milliseconds(1));
  EXPECT_TRUE(filter.isClosed());
  EXPECT_EQ(filter.toBehind(), "");
  EXPECT_EQ(filter.info().termination_details, "rbac_access_denied_matched_policy[none]");
  EXPECT_EQ(filter.info().bytes_received, 1u);
}

TEST(Rbac, NotesWhatShadowRulesWouldDo) {
  FilterFixture filter(
      "rbac", absl::StrCat("stat_prefix: 'guard' shadow_rules_stat_prefix: 'dry_' shadow_rules {",
                           rules("DENY", kAny), "}"));
  filter.open();
  filter.fromPeer("x");
  EXPECT_EQ(filter.toBehind(), "x");
  EXPECT_EQ(filter.stat("guard.rbac.dry_.shadow_denied"), 1u);
  const auto& fields = *filter.info().dynamic_metadata->find("envoy.filters.network.rbac");
  EXPECT_EQ(std::get<std::string>(fields.at("dry_shadow_engine_result").kind), "denied");
  EXPECT_EQ(std::get<std::string>(fields.at("dry_shadow_effective_policy_id").kind), "only");
}

TEST(Rbac, LeavesAHintForTheLog) {
  for (const bool matched : {true, false}) {
    FilterFixture filter("rbac", enforced(rules("LOG", matched ? kAny : kPort1)));
    filter.open();
    filter.fromPeer("x");
    const auto& fields = *filter.info().dynamic_metadata->find("envoy.common");
    EXPECT_EQ(std::get<bool>(fields.at("access_log_hint").kind), matched);
  }
}

TEST(Rbac, KnowsPermissions) {
  EXPECT_TRUE(permits("destination_ip { address_prefix: '10.0.0.2' prefix_len { value: 32 } }"));
  EXPECT_FALSE(permits("destination_ip { address_prefix: '10.0.0.1' prefix_len { value: 32 } }"));
  EXPECT_FALSE(permits("destination_ip { address_prefix: '::' prefix_len { value: 0 } }"));
  EXPECT_TRUE(permits("destination_port: 80"));
  EXPECT_TRUE(permits("destination_port_range { start: 80 end: 81 }"));
  EXPECT_FALSE(permits("destination_port_range { start: 1 end: 80 }"));
  EXPECT_TRUE(permits("requested_server_name { exact: '' }"));
  EXPECT_FALSE(permits("requested_server_name { suffix: 'test' }"));
  EXPECT_FALSE(permits("not_rule { any: true }"));
  EXPECT_FALSE(permits("and_rules { rules { any: true } rules { destination_port: 1 } }"));
  EXPECT_TRUE(permits("or_rules { rules { destination_port: 1 } rules { any: true } }"));
}

TEST(Rbac, KnowsPrincipals) {
  EXPECT_TRUE(knows("direct_remote_ip { address_prefix: '10.0.0.0' prefix_len { value: 24 } }"));
  EXPECT_FALSE(knows("direct_remote_ip { address_prefix: '10.0.0.2' prefix_len { value: 32 } }"));
  EXPECT_TRUE(knows("source_ip { address_prefix: '10.0.0.1' prefix_len { value: 32 } }"));
  EXPECT_TRUE(knows("remote_ip { address_prefix: '10.0.0.1' prefix_len { value: 32 } }"));
  EXPECT_FALSE(knows("authenticated {}"));
  EXPECT_FALSE(knows("authenticated { principal_name { exact: '' } }"));
  EXPECT_TRUE(knows("not_id { authenticated {} }"));
  EXPECT_FALSE(knows("and_ids { ids { any: true } ids { authenticated {} } }"));
  EXPECT_TRUE(knows("or_ids { ids { any: true } ids { authenticated {} } }"));
}

TEST(Rbac, TellsTheDirectPeerFromTheOneItSpeaksFor) {
  FilterFixture filter("rbac", enforced(rules("ALLOW", R"pb(
    permissions { any: true }
    principals { remote_ip { address_prefix: '192.0.2.1' prefix_len { value: 32 } } })pb")));
  filter.info().remote = *net::Address::parseIp("192.0.2.1", 1000);
  filter.open();
  filter.fromPeer("x");
  EXPECT_FALSE(filter.isClosed());
}

// With filter state text=vv and address=10.1.1.1:7 and metadata f.k=1.
bool passesWithState(absl::string_view permission, absl::string_view principal) {
  FilterFixture filter("rbac",
                       enforced(rules("ALLOW", absl::StrCat("permissions {", permission,
                                                            "} principals {", principal, "}"))));
  net::FilterState& state = filter.info().mutableFilterState();
  state.set("text", std::make_shared<net::StringState>("vv"));
  state.set("address", std::make_shared<net::AddressState>(*net::Address::parseIp("10.1.1.1", 7)));
  filter.info().mutableDynamicMetadata().set("f", {{"k", {1.0}}});
  filter.open();
  filter.fromPeer("x");
  return !filter.isClosed();
}

TEST(Rbac, ReadsFilterState) {
  const auto knows = [](absl::string_view key, absl::string_view matcher) {
    return passesWithState("any: true",
                           absl::StrCat("filter_state { key: '", key, "' ", matcher, "}"));
  };
  constexpr char kTen[] =
      "address_match { ranges { address_prefix: '10.0.0.0' prefix_len { value: 8 } } }";
  constexpr char kNotTen[] = "address_match { invert_match: true "
                             "ranges { address_prefix: '10.0.0.0' prefix_len { value: 8 } } }";
  EXPECT_TRUE(knows("text", "string_match { prefix: 'V' ignore_case: true }"));
  EXPECT_FALSE(knows("text", "string_match { exact: 'v' }"));
  EXPECT_FALSE(knows("missing", "string_match { exact: 'vv' }"));
  EXPECT_TRUE(knows("address", kTen));
  EXPECT_FALSE(knows("address", kNotTen));
  EXPECT_FALSE(knows("text", kTen));
  EXPECT_FALSE(knows("missing", kNotTen));
  EXPECT_TRUE(knows("address", "string_match { prefix: '10.' }"));
}

TEST(Rbac, ReadsDynamicMetadata) {
  const auto permits = [](absl::string_view key, absl::string_view more) {
    const std::string matcher = absl::StrCat("filter: 'f' path { key: '", key, "' } ", more);
    const bool one = passesWithState(absl::StrCat("metadata {", matcher, "}"), "any: true");
    const bool two = passesWithState(
        absl::StrCat("sourced_metadata { metadata_matcher {", matcher, "} }"), "any: true");
    EXPECT_EQ(one, two);
    return one;
  };
  EXPECT_TRUE(permits("k", "value { double_match { exact: 1 } }"));
  EXPECT_FALSE(permits("k", "value { double_match { exact: 2 } }"));
  EXPECT_FALSE(permits("k", "value { present_match: true } invert: true"));
  EXPECT_FALSE(permits("missing", "value { present_match: true }"));
  EXPECT_TRUE(permits("missing", "value { present_match: true } invert: true"));
}

TEST(Rbac, RefusesWhatItCannotJudge) {
  const auto permission = [](absl::string_view rule) {
    return refusal(
        rules("ALLOW", absl::StrCat("permissions {", rule, "} principals { any: true }")));
  };
  EXPECT_EQ(permission("destination_port_range { start: 5 end: 5 }"),
            "rules.policies[only].permissions[0].destination_port_range: range start 5 cannot be "
            "greater or equal than range end 5");
  EXPECT_EQ(permission("destination_port_range { start: -1 end: 5 }"),
            "rules.policies[only].permissions[0].destination_port_range: range start -1 is out of "
            "bounds");
  EXPECT_EQ(permission("not_rule { destination_ip { address_prefix: 'foo' } }"),
            "rules.policies[only].permissions[0].not_rule.destination_ip.address_prefix: malformed "
            "IP address: foo");
  EXPECT_EQ(permission("and_rules { rules { any: true } rules { header { name: 'x' } } }"),
            "rules.policies[only].permissions[0].and_rules.rules[1].header: Found header() "
            "rule,not supported by RBAC network filter");
  EXPECT_EQ(permission("requested_server_name { safe_regex { regex: '[' } }"),
            "rules.policies[only].permissions[0].requested_server_name.safe_regex.regex: missing "
            "]: [");
}

// With the runtime key that asks for a verdict before anything is dialled.
void openEarly(FilterFixture& filter) {
  filter.setRuntime("culvert.rbac_before_dialling", "true");
  filter.open();
}

TEST(RbacBeforeDialling, DeniesASilentPeer) {
  FilterFixture filter("rbac", enforced(rules("ALLOW", kPort1)));
  openEarly(filter);
  EXPECT_EQ(filter.closed(), CloseReason::local("rbac_deny_close"));
}

TEST(RbacBeforeDialling, CountsOnceWhatItLetsPass) {
  FilterFixture filter("rbac", enforced(rules("ALLOW", kAny)));
  filter.fromPeer("x");
  openEarly(filter);
  EXPECT_EQ(filter.toBehind(), "x");
  EXPECT_EQ(filter.stat("guard.rbac.allowed"), 1u);
}

TEST(RbacBeforeDialling, WaitsForTheByteWhenRulesAskForMoreThanAddresses) {
  FilterFixture filter(
      "rbac",
      enforced(
          rules("ALLOW", "permissions { any: true } principals { not_id { authenticated {} } }")));
  openEarly(filter);
  EXPECT_EQ(filter.stat("guard.rbac.allowed"), 0u);
  filter.fromPeer("x");
  EXPECT_EQ(filter.stat("guard.rbac.allowed"), 1u);
}

} // namespace
} // namespace culvert
