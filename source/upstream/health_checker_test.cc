// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/health_checker.h"

#include <optional>

#include "source/upstream/upstream_fixture.h"

namespace culvert::upstream {
namespace {

using std::chrono::seconds;

// An address where nobody listens.
net::Address nobody() { return TestHost().address(); }

// A host's end of a check.
class Visitor {
public:
  explicit Visitor(net::Fd fd) : fd_(std::move(fd)) {}

  std::string read() {
    char bytes[4096];
    const ssize_t count = ::recv(fd_.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
    return count > 0 ? std::string(bytes, static_cast<size_t>(count)) : "";
  }
  void write(absl::string_view text) {
    EXPECT_EQ(::send(fd_.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }

private:
  net::Fd fd_;
};

class HealthCheckerTest : public UpstreamTest {
protected:
  static HealthCheckConfig tcp() {
    HealthCheckConfig check;
    check.timeout = seconds(1);
    check.interval = check.unhealthy_interval = seconds(10);
    check.healthy_edge_interval = check.unhealthy_edge_interval = seconds(10);
    return check;
  }
  static HealthCheckConfig http() {
    HealthCheckConfig check = tcp();
    check.protocol = HealthProtocol::kHttp;
    check.http.path = "/ready";
    return check;
  }
  static ClusterConfig checked(const std::vector<net::Address>& hosts,
                               const HealthCheckConfig& check) {
    ClusterConfig config = clusterOf(hosts);
    config.health_check = check;
    return config;
  }

  std::string flags(size_t host = 0) { return manager.find("c")->hosts()[host]->healthFlagsText(); }
  bool becomes(const std::string& wanted, size_t host = 0) {
    return turnUntil([&] { return flags(host) == wanted; });
  }
  bool checks(uint64_t count) {
    return turnUntil([&] { return counter("health_check.attempt") == count; });
  }
  bool over(uint64_t count) {
    return turnUntil(
        [&] { return counter("health_check.success") + counter("health_check.failure") == count; });
  }
  Visitor visitor(const TestHost& host) {
    net::Fd fd;
    EXPECT_TRUE(turnUntil([&] { return fd.get() >= 0 || (fd = host.accept()).get() >= 0; }));
    return Visitor(std::move(fd));
  }
  std::string request(Visitor& from) {
    std::string text;
    EXPECT_TRUE(turnUntil([&] { return !text.empty() || !(text = from.read()).empty(); }));
    return text;
  }
};

TEST_F(HealthCheckerTest, TheFirstCheckDecidesAtOnce) {
  const TestHost up;
  HealthCheckConfig check = tcp();
  check.healthy_threshold = check.unhealthy_threshold = 3;
  start(checked({up.address(), nobody()}, check));
  EXPECT_EQ(flags(0), "/failed_active_hc");
  EXPECT_TRUE(becomes("healthy", 0));
  EXPECT_TRUE(over(2));
  EXPECT_EQ(flags(1), "/failed_active_hc");
  EXPECT_TRUE(turnUntil([&] { return gauge("membership_healthy") == 1; }));
  EXPECT_EQ(gauge("health_check.healthy"), 1u);
  EXPECT_EQ(counter("health_check.network_failure"), 1u);
}

TEST_F(HealthCheckerTest, TheClusterWaitsForTheFirstChecks) {
  const TestHost up;
  ASSERT_TRUE(manager.add(checked({up.address(), nobody()}, tcp())).ok());
  bool initialized = false;
  manager.initialize([&] { initialized = true; });
  EXPECT_FALSE(initialized);
  EXPECT_TRUE(turnUntil([&] { return initialized; }));
  EXPECT_EQ(gauge("membership_healthy"), 1u); // What was found is published by then.
}

TEST_F(HealthCheckerTest, WorkersHearOfIt) {
  const TestHost up;
  start(checked({nobody(), up.address()}, tcp()));
  ASSERT_TRUE(over(2));
  ASSERT_TRUE(turnUntil([&] { return gauge("membership_healthy") == 1; }));
  loop.runOnce(false);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(connected()->upstream->host()->address, up.address());
  }
}

TEST_F(HealthCheckerTest, LaterOnesNeedAThreshold) {
  auto up = std::make_optional<TestHost>();
  HealthCheckConfig check = tcp();
  check.unhealthy_threshold = 2;
  start(checked({up->address()}, check));
  ASSERT_TRUE(becomes("healthy"));
  up.reset();
  clock.advance(seconds(60));
  ASSERT_TRUE(over(2));
  EXPECT_EQ(flags(), "healthy");
  clock.advance(seconds(60));
  EXPECT_TRUE(becomes("/failed_active_hc"));
}

TEST_F(HealthCheckerTest, WithoutTrafficItWaitsLonger) {
  const TestHost up;
  start(checked({up.address()}, tcp()));
  ASSERT_TRUE(becomes("healthy"));
  clock.advance(seconds(59));
  loop.runOnce(false);
  EXPECT_EQ(counter("health_check.attempt"), 1u);
  clock.advance(seconds(1));
  EXPECT_TRUE(over(2));
  connected();
  clock.advance(seconds(60));
  EXPECT_TRUE(over(3));
  clock.advance(seconds(10));
  EXPECT_TRUE(over(4));
}

TEST_F(HealthCheckerTest, AHostThatDoesNotAnswerTimesOut) {
  const TestHost up;
  HealthCheckConfig check = tcp();
  check.send = "PING";
  check.receive = {"PONG"};
  start(checked({up.address()}, check));
  Visitor silent = visitor(up);
  EXPECT_EQ(request(silent), "PING");
  clock.advance(seconds(1));
  EXPECT_TRUE(becomes("/failed_active_hc/active_hc_timeout"));
}

TEST_F(HealthCheckerTest, TheAnswerMayComeInPiecesAmongOthers) {
  const TestHost up;
  HealthCheckConfig check = tcp();
  check.receive = {"AB", "CD"};
  start(checked({up.address()}, check));
  Visitor talker = visitor(up);
  talker.write("xA");
  talker.write("BC");
  EXPECT_EQ(flags(), "/failed_active_hc");
  talker.write("CD");
  EXPECT_TRUE(becomes("healthy"));
}

TEST_F(HealthCheckerTest, ItKeepsItsConnectionForTheNextCheck) {
  const TestHost up;
  HealthCheckConfig check = tcp();
  check.send = "PING";
  check.receive = {"PONG"};
  start(checked({up.address()}, check));
  Visitor visit = visitor(up);
  request(visit);
  visit.write("PONG");
  ASSERT_TRUE(becomes("healthy"));
  clock.advance(seconds(60));
  EXPECT_EQ(request(visit), "PING");
}

TEST_F(HealthCheckerTest, AnHttpAnswerOf200IsHealthy) {
  const TestHost up;
  start(checked({up.address()}, http()));
  Visitor server = visitor(up);
  EXPECT_EQ(request(server), "GET /ready HTTP/1.1\r\nhost: c\r\nuser-agent: Envoy/HC\r\n\r\n");
  server.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  EXPECT_TRUE(becomes("healthy"));
}

TEST_F(HealthCheckerTest, AnUnexpectedStatusCountsAtOnce) {
  const TestHost up;
  HealthCheckConfig check = http();
  check.unhealthy_threshold = 3;
  check.http.retriable = {{429, 430}};
  start(checked({up.address()}, check));
  Visitor server = visitor(up);
  const auto answer = [&](const std::string& status) {
    request(server);
    server.write("HTTP/1.1 " + status + " X\r\ncontent-length: 0\r\n\r\n");
  };
  answer("200");
  ASSERT_TRUE(becomes("healthy"));
  clock.advance(seconds(60));
  answer("429"); // Not for good.
  ASSERT_TRUE(over(2));
  EXPECT_EQ(flags(), "healthy");
  clock.advance(seconds(60));
  answer("503");
  EXPECT_TRUE(becomes("/failed_active_hc"));
  EXPECT_EQ(counter("health_check.network_failure"), 0u);
}

TEST_F(HealthCheckerTest, AnHttpHostMayHangUpBetweenChecks) {
  const TestHost up;
  start(checked({up.address()}, http()));
  {
    Visitor server = visitor(up);
    request(server);
    server.write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
  }
  ASSERT_TRUE(becomes("healthy"));
  clock.advance(seconds(60));
  Visitor again = visitor(up);
  EXPECT_NE(request(again), "");
  EXPECT_EQ(flags(), "healthy");
}

TEST_F(HealthCheckerTest, SomeHostsAreNotChecked) {
  ClusterConfig config = checked({nobody()}, tcp());
  HealthCheckTarget target;
  target.disabled = true;
  config.endpoints[0].endpoints[0].health_target = std::make_shared<HealthCheckTarget>(target);
  start(std::move(config));
  EXPECT_EQ(flags(), "healthy");
  EXPECT_EQ(counter("health_check.attempt"), 0u);
}

TEST_F(HealthCheckerTest, AnotherPortMayAnswerForTheHost) {
  const TestHost up;
  HealthCheckConfig check = tcp();
  check.alt_port = up.address().port();
  start(checked({nobody()}, check));
  EXPECT_TRUE(becomes("healthy"));
}

// A source of hosts in a test's hand.
struct GivenHosts final : HostSource {
  void start() override {}
};

TEST_F(HealthCheckerTest, AHostThatPassesStaysUntilItFails) {
  auto up = std::make_optional<TestHost>();
  const TestHost other;
  ClusterConfig config = checked({up->address(), other.address()}, tcp());
  HostSourceContext* source = nullptr;
  config.make_hosts = [&](HostSourceContext& context) {
    source = &context;
    return std::make_unique<GivenHosts>();
  };
  start(std::move(config));
  const LocalityConfig& locality = source->config().endpoints[0];
  const auto spec = [&](size_t i) {
    return HostSpec{&locality, &locality.endpoints[i], locality.endpoints[i].address};
  };
  source->setHosts({spec(0), spec(1)});
  source->setInitialized();
  ASSERT_TRUE(becomes("healthy", 0));
  ASSERT_TRUE(becomes("healthy", 1));

  source->setHosts({spec(1)});
  EXPECT_EQ(flags(0), "/pending_dynamic_removal");
  up.reset();
  clock.advance(seconds(60));
  EXPECT_TRUE(turnUntil([&] { return manager.find("c")->hosts().size() == 1; }));
  EXPECT_EQ(gauge("membership_total"), 1u);
}

} // namespace
} // namespace culvert::upstream
