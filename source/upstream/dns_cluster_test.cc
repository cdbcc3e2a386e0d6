// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/dns_cluster.h"

#include "absl/strings/str_join.h"
#include "source/net/dns_resolver.h"
#include "source/upstream/upstream_fixture.h"
#include "test/fakes/fake_resolver.h"

namespace culvert::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::FakeResolver;

class DnsClusterTest : public UpstreamTest {
protected:
  using Make = std::unique_ptr<HostSource> (*)(HostSourceContext&, const DnsConfig&);

  DnsClusterTest() : UpstreamTest(options()) {}

  void startDns(Make make, const std::vector<std::string>& names, const DnsConfig& dns = {}) {
    ClusterConfig config;
    config.name = "c";
    LocalityConfig& locality = config.endpoints.emplace_back();
    for (const std::string& name : names) {
      EndpointConfig& endpoint = locality.endpoints.emplace_back();
      endpoint.dns_name = name;
      endpoint.port = 80;
    }
    config.make_hosts = [=](HostSourceContext& context) { return make(context, dns); };
    ASSERT_TRUE(manager.add(std::move(config)).ok());
    manager.initialize([this] { initialized = true; });
    worker = manager.makeThread(loop);
  }
  std::string hosts() {
    return absl::StrJoin(manager.find("c")->hosts(), " ", [](std::string* out, const auto& host) {
      out->append(host->address().toString());
    });
  }
  const HostPtr& firstHost() { return manager.find("c")->hosts().front(); }
  // Whether the next question comes after exactly `wait`.
  bool asksAfter(base::Duration wait) {
    const int before = dns().asked;
    clock.advance(wait - milliseconds(1));
    loop.runOnce(false);
    const bool early = dns().asked != before;
    clock.advance(milliseconds(1));
    loop.runOnce(false);
    return !early && dns().asked == before + 1;
  }
  FakeResolver& dns() { return *resolver; }

  bool initialized = false;

private:
  ClusterManagerOptions options() {
    ClusterManagerOptions options;
    options.make_resolver = [this] {
      auto made = std::make_unique<FakeResolver>();
      resolver = made.get();
      return made;
    };
    return options;
  }
  FakeResolver* resolver = nullptr;
};

TEST_F(DnsClusterTest, WaitsForTheFirstAnswer) {
  startDns(makeStrictDns, {"a"});
  EXPECT_FALSE(initialized);
  dns().answer("a", {"10.0.0.1", "10.0.0.2"});
  EXPECT_TRUE(initialized);
  EXPECT_EQ(hosts(), "10.0.0.1:80 10.0.0.2:80");
  EXPECT_EQ(firstHost()->description()->hostname, "a");
  EXPECT_EQ(counter("update_attempt"), 1u);
  EXPECT_EQ(counter("update_success"), 1u);
  EXPECT_EQ(counter("membership_change"), 1u);
}

TEST_F(DnsClusterTest, AFailureIsAnAnswerToo) {
  startDns(makeStrictDns, {"a"});
  dns().fail("a");
  EXPECT_TRUE(initialized);
  EXPECT_EQ(counter("update_failure"), 1u);
}

TEST_F(DnsClusterTest, WorkersSeeTheHosts) {
  startDns(makeStrictDns, {"a"});
  EXPECT_EQ(TestSession(cluster()).failed, ConnectFailure::kNoHealthyHost);
  dns().answer("a", {"127.0.0.1"});
  loop.runOnce(false);
  const TestSession session(cluster());
  EXPECT_EQ(session.upstream->host()->address.toString(), "127.0.0.1:80");
}

TEST_F(DnsClusterTest, AsksAgainAtTheRefreshRate) {
  startDns(makeStrictDns, {"a"});
  dns().answer("a", {"10.0.0.1"});
  EXPECT_TRUE(asksAfter(seconds(5)));
}

TEST_F(DnsClusterTest, TheSameAddressesKeepTheHosts) {
  startDns(makeStrictDns, {"a"});
  dns().answer("a", {"10.0.0.1", "10.0.0.2"});
  const HostPtr host = firstHost();
  ASSERT_TRUE(asksAfter(seconds(5)));
  dns().answer("a", {"10.0.0.2", "10.0.0.1", "10.0.0.1"});
  EXPECT_EQ(firstHost(), host);
  EXPECT_EQ(counter("update_no_rebuild"), 1u);
  EXPECT_EQ(counter("membership_change"), 1u);
}

TEST_F(DnsClusterTest, EveryNameHasHostsOfItsOwn) {
  startDns(makeStrictDns, {"a", "b"});
  dns().answer("b", {"10.0.0.2"});
  dns().answer("a", {"10.0.0.1"});
  EXPECT_EQ(hosts(), "10.0.0.1:80 10.0.0.2:80");
  ASSERT_FALSE(asksAfter(seconds(5))); // Both.
  dns().answer("a", {"10.0.0.3"});
  EXPECT_EQ(hosts(), "10.0.0.3:80 10.0.0.2:80");
}

TEST_F(DnsClusterTest, FailuresLeaveTheHosts) {
  startDns(makeStrictDns, {"a"});
  dns().answer("a", {"10.0.0.1"});
  ASSERT_TRUE(asksAfter(seconds(5)));
  dns().fail("a");
  EXPECT_EQ(hosts(), "10.0.0.1:80");
  EXPECT_TRUE(asksAfter(seconds(5)));
}

TEST_F(DnsClusterTest, ANameWithoutAddressesHasNoHosts) {
  startDns(makeStrictDns, {"a"});
  dns().answer("a", {"10.0.0.1"});
  ASSERT_TRUE(asksAfter(seconds(5)));
  dns().answer("a", {});
  EXPECT_EQ(hosts(), "");
  EXPECT_EQ(counter("update_success"), 2u);
}

TEST_F(DnsClusterTest, FailuresAreAskedAgainLaterAndLater) {
  DnsConfig config;
  config.failure_refresh = DnsConfig::Backoff{seconds(1), seconds(3)};
  startDns(makeStrictDns, {"a"}, config);
  for (const int most_s : {1, 2, 3, 3}) {
    dns().fail("a");
    const int before = dns().asked;
    clock.advance(seconds(most_s)); // A random part of it.
    loop.runOnce(false);
    EXPECT_EQ(dns().asked, before + 1) << most_s;
  }
}

TEST_F(DnsClusterTest, ALogicalHostIsReachedAtAllAddresses) {
  startDns(makeLogicalDns, {"a"});
  dns().answer("a", {"10.0.0.1", "10.0.0.2", "::1"});
  EXPECT_EQ(hosts(), "10.0.0.1:80");
  const auto addresses = [&] {
    return absl::StrJoin(firstHost()->addresses(), " ", [](std::string* out, const auto& address) {
      out->append(address.toString());
    });
  };
  EXPECT_EQ(addresses(), "10.0.0.1:80 [::1]:80 10.0.0.2:80");
  ASSERT_TRUE(asksAfter(seconds(5)));
  dns().answer("a", {"10.0.0.1", "10.0.0.3"});
  EXPECT_EQ(addresses(), "10.0.0.1:80 10.0.0.3:80");
  ASSERT_TRUE(asksAfter(seconds(5)));
  dns().answer("a", {"10.0.0.1"});
  EXPECT_EQ(addresses(), "");
}

TEST_F(DnsClusterTest, RespectsTheShortestTimeToLive) {
  DnsConfig config;
  config.respect_ttl = true;
  startDns(makeStrictDns, {"a"}, config);
  dns().answer("a", {"10.0.0.1"}, 17);
  EXPECT_TRUE(asksAfter(seconds(17)));
  dns().answer("a", {"10.0.0.1"}, 0); // Says nothing.
  EXPECT_TRUE(asksAfter(seconds(5)));
}

TEST_F(DnsClusterTest, AShortTimeToLiveHasAFloor) {
  DnsConfig config;
  config.respect_ttl = true;
  config.min_refresh_rate = seconds(3);
  startDns(makeStrictDns, {"a"}, config);
  dns().answer("a", {"10.0.0.1"}, 1);
  EXPECT_TRUE(asksAfter(seconds(3)));
}

TEST_F(DnsClusterTest, JitterComesOnTop) {
  DnsConfig config;
  config.jitter = seconds(2);
  startDns(makeStrictDns, {"a"}, config);
  dns().answer("a", {"10.0.0.1"});
  clock.advance(milliseconds(4999));
  loop.runOnce(false);
  EXPECT_EQ(dns().asked, 1);
  clock.advance(milliseconds(2001));
  loop.runOnce(false);
  EXPECT_EQ(dns().asked, 2);
}

TEST_F(DnsClusterTest, ALogicalHostMovesAndKeepsItsCounts) {
  startDns(makeLogicalDns, {"a"});
  dns().answer("a", {"127.0.0.1", "10.0.0.2"});
  EXPECT_EQ(hosts(), "127.0.0.1:80");
  firstHost()->state().cx_total = 7;
  ASSERT_TRUE(asksAfter(seconds(5)));
  dns().answer("a", {"10.0.0.2", "127.0.0.1"});
  EXPECT_EQ(hosts(), "10.0.0.2:80");
  EXPECT_EQ(firstHost()->state().cx_total, 7u);
  EXPECT_EQ(counter("membership_change"), 2u);
}

TEST_F(DnsClusterTest, ALogicalHostStaysWhenItsNameHasNoAddress) {
  startDns(makeLogicalDns, {"a"});
  dns().answer("a", {"10.0.0.1"});
  ASSERT_TRUE(asksAfter(seconds(5)));
  dns().answer("a", {});
  EXPECT_EQ(hosts(), "10.0.0.1:80");
  EXPECT_EQ(counter("update_failure"), 1u);
}

TEST_F(DnsClusterTest, ARemovedClusterAsksNoMore) {
  startDns(makeStrictDns, {});
  EXPECT_TRUE(initialized);
  ClusterConfig config;
  config.name = "d";
  config.endpoints.resize(1);
  config.endpoints[0].endpoints.resize(1);
  config.endpoints[0].endpoints[0].dns_name = "d";
  config.make_hosts = [](HostSourceContext& context) { return makeStrictDns(context, {}); };
  ASSERT_TRUE(*manager.addOrUpdate(std::move(config)));
  EXPECT_EQ(dns().waiting.size(), 1u);
  EXPECT_TRUE(manager.remove("d"));
  EXPECT_TRUE(dns().waiting.empty());
}

} // namespace
} // namespace culvert::upstream
