// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/tunnel_connection.h"

#include "source/hbone/http2_fixture.h"
#include "source/net/socket_io.h"
#include "source/upstream/upstream_fixture.h"

namespace culvert::upstream {
namespace {

using hbone::Http2Role;
using hbone::TestEnd;
using std::chrono::seconds;

// A session that asks for a tunnel.
class TunnelSession final : public UpstreamHandler {
public:
  explicit TunnelSession(ThreadCluster& cluster) {
    const TunnelRequest request{"10.0.0.7:80", "", {{"x-a", "1"}}};
    Attempt attempt = cluster.connectTunnel(*this, LoadBalancerContext(), request);
    if (auto* const why = std::get_if<ConnectFailure>(&attempt)) {
      failed = *why;
    } else {
      upstream = std::get<std::unique_ptr<Upstream>>(std::move(attempt));
    }
  }

  void onUpstreamConnected() override {
    connected = true;
    upstream->resumeReading();
  }
  void onUpstreamFailed(ConnectFailure why) override {
    failed = why;
    reason = upstream->failureReason();
    tunnel_reason = upstream->tunnelFailure();
  }
  void onUpstreamData(net::Buffer& data, bool) override { received += data.toString(); }
  void onUpstreamWriteBlocked(bool) override {}
  void onUpstreamClosed(const net::CloseReason& why) override { closed = why.code; }

  std::unique_ptr<Upstream> upstream;
  bool connected = false;
  std::string received;
  std::string reason;
  std::string tunnel_reason;
  std::optional<ConnectFailure> failed;
  std::optional<net::CloseCode> closed;
};

// A cluster's hosts, as a test says.
class TestHosts final : public HostSource {
public:
  explicit TestHosts(HostSourceContext& context) : context_(context) {}

  void start() override {
    for (const LocalityConfig& locality : context_.config().endpoints) {
      for (const EndpointConfig& endpoint : locality.endpoints) {
        specs_.push_back({&locality, &endpoint, endpoint.address});
      }
    }
    context_.setHosts(specs_);
    context_.setInitialized();
  }
  void removeAll() { context_.setHosts({}); }

private:
  HostSourceContext& context_;
  std::vector<HostSpec> specs_;
};

// A cluster of one host that speaks HTTP/2.
class TunnelTest : public UpstreamTest {
protected:
  ClusterConfig config() {
    ClusterConfig config = staticCluster(listening);
    config.http.http2 = true;
    return config;
  }
  // The host's end of the next connection.
  TestEnd& host() {
    net::Fd fd;
    EXPECT_TRUE(turnUntil([&] {
      fd = fd.get() < 0 ? listening.accept() : std::move(fd);
      return fd.get() >= 0;
    }));
    hosts.push_back(
        std::make_unique<TestEnd>(loop, std::make_unique<net::SocketIo>(loop, std::move(fd), false),
                                  Http2Role::kServer, hbone::Http2Options()));
    return *hosts.back();
  }
  hbone::TestStream& request(TestEnd& end, size_t index) {
    EXPECT_TRUE(turnUntil([&] { return end.streams.size() > index; }));
    return *end.streams[index];
  }
  bool opens(TunnelSession& session, hbone::TestStream& at_host) {
    at_host.io.respond(200, {});
    return turnUntil([&] { return session.connected; });
  }

  TestHost listening;
  std::vector<std::unique_ptr<TestEnd>> hosts;
};

TEST_F(TunnelTest, TunnelsToOneHostShareAConnection) {
  start(config());
  TunnelSession first(cluster());
  TunnelSession second(cluster());
  TestEnd& end = host();
  EXPECT_TRUE(opens(second, request(end, 1)));
  EXPECT_FALSE(first.connected);
  EXPECT_TRUE(opens(first, request(end, 0)));
  EXPECT_EQ(gauge("upstream_cx_active"), 1u);
  EXPECT_EQ(gauge("upstream_rq_active"), 2u);
  EXPECT_EQ(counter("upstream_rq_pending_total"), 2u);
  const hbone::Http2Fields wanted = {
      {":method", "CONNECT"}, {":authority", "10.0.0.7:80"}, {"x-a", "1"}};
  EXPECT_EQ(end.requests[0].fields, wanted);
}

TEST_F(TunnelTest, BytesAreThoseOfTheTunnel) {
  start(config());
  TunnelSession session(cluster());
  TestEnd& end = host();
  ASSERT_TRUE(opens(session, request(end, 0)));
  end.streams[0]->read();
  end.streams[0]->write("hello");
  net::Buffer data = net::Buffer::borrow("hi");
  session.upstream->connection().write(data, true);
  EXPECT_TRUE(turnUntil([&] { return end.streams[0]->ended; }));
  EXPECT_EQ(end.streams[0]->received, "hi");
  EXPECT_TRUE(turnUntil([&] { return session.received == "hello"; }));
}

TEST_F(TunnelTest, ARefusalIsTheHostsFault) {
  start(config());
  TunnelSession session(cluster());
  request(host(), 0).io.respondAndEnd(503, {{"x-why", "full"}}, "");
  ASSERT_TRUE(turnUntil([&] { return session.failed.has_value(); }));
  EXPECT_EQ(session.failed, ConnectFailure::kRefused);
  EXPECT_EQ(session.reason, "tunnel_response:503");
  const HttpFields wanted = {{":status", "503"}, {"x-why", "full"}};
  EXPECT_EQ(*session.upstream->tunnelAnswer(), wanted);
  EXPECT_EQ(gauge("upstream_cx_active"), 1u);
}

TEST_F(TunnelTest, AllFailWithTheirConnection) {
  ClusterConfig config = clusterOf({TestHost().address()});
  config.http.http2 = true;
  start(std::move(config));
  TunnelSession first(cluster());
  TunnelSession second(cluster());
  ASSERT_TRUE(turnUntil([&] { return first.failed.has_value() && second.failed.has_value(); }));
  EXPECT_EQ(first.reason, "delayed connect error: Connection refused");
  EXPECT_EQ(second.reason, first.reason);
  EXPECT_EQ(first.tunnel_reason, "");
  EXPECT_EQ(counter("upstream_cx_connect_fail"), 1u);
  EXPECT_EQ(counter("upstream_rq_pending_failure_eject"), 2u);
  EXPECT_EQ(gauge("upstream_rq_pending_active"), 0u);
}

TEST_F(TunnelTest, OneThatIsLostBeforeItsAnswerSaysWhy) {
  start(config());
  TunnelSession session(cluster());
  TestEnd& end = host();
  request(end, 0);
  end.sink.close(net::CloseMode::kReset, net::CloseReason::local("gone"));
  ASSERT_TRUE(turnUntil([&] { return session.failed.has_value(); }));
  EXPECT_EQ(session.reason, "");
  EXPECT_EQ(session.tunnel_reason, "Connection reset by peer");
}

TEST_F(TunnelTest, WhoLeavesBeforeTheConnectionIsThereIsNotAskedFor) {
  start(config());
  {
    const TunnelSession session(cluster());
  }
  EXPECT_EQ(counter("upstream_rq_cancelled"), 1u);
  TunnelSession other(cluster());
  TestEnd& end = host();
  EXPECT_TRUE(turnUntil([&] { return !end.streams.empty(); }));
  EXPECT_TRUE(opens(other, *end.streams.back()));
  EXPECT_EQ(gauge("upstream_rq_pending_active"), 0u);
  EXPECT_EQ(counter("upstream_cx_total"), 1u);
}

TEST_F(TunnelTest, AnIdleConnectionEnds) {
  ClusterConfig idle = config();
  idle.http.idle_timeout = seconds(10);
  start(std::move(idle));
  auto session = std::make_unique<TunnelSession>(cluster());
  TestEnd& end = host();
  ASSERT_TRUE(opens(*session, request(end, 0)));
  clock.advance(seconds(60));
  loop.runOnce(false);
  EXPECT_EQ(gauge("upstream_cx_active"), 1u);
  end.streams[0]->read();
  session.reset();
  EXPECT_TRUE(turnUntil([&] { return end.streams[0]->closed.has_value(); }));
  clock.advance(seconds(11));
  EXPECT_TRUE(turnUntil([&] { return gauge("upstream_cx_active") == 0; }));
  EXPECT_EQ(counter("upstream_cx_idle_timeout"), 1u);
}

TEST_F(TunnelTest, AnIdleConnectionEndsWithTheWorker) {
  start(config());
  {
    TunnelSession session(cluster());
    TestEnd& end = host();
    ASSERT_TRUE(opens(session, request(end, 0)));
  }
  loop.runOnce(false);
  EXPECT_EQ(gauge("upstream_cx_active"), 1u);
  worker.reset();
  EXPECT_EQ(gauge("upstream_cx_active"), 0u);
}

TEST_F(TunnelTest, AReplacedClusterLetsItsTunnelsEnd) {
  manager.initialize([] {});
  worker = manager.makeThread(loop);
  ASSERT_TRUE(manager.addOrUpdate(config()).ok());
  ASSERT_TRUE(turnUntil([&] { return worker->find("c") != nullptr; }));
  auto session = std::make_unique<TunnelSession>(cluster());
  TestEnd& end = host();
  ASSERT_TRUE(opens(*session, request(end, 0)));
  ASSERT_TRUE(manager.remove("c"));
  ASSERT_TRUE(turnUntil([&] { return worker->find("c") == nullptr; }));
  EXPECT_FALSE(session->closed.has_value());
  session.reset();
  EXPECT_TRUE(turnUntil([&] { return end.end.has_value(); }));
}

TEST_F(TunnelTest, AHostThatLeavesKeepsItsTunnelsUntilTheyEnd) {
  ClusterConfig changing = config();
  TestHosts* members = nullptr;
  changing.make_hosts = [&](HostSourceContext& context) {
    auto made = std::make_unique<TestHosts>(context);
    members = made.get();
    return made;
  };
  start(std::move(changing));
  auto session = std::make_unique<TunnelSession>(cluster());
  TestEnd& end = host();
  ASSERT_TRUE(opens(*session, request(end, 0)));
  members->removeAll();
  ASSERT_TRUE(turnUntil([&] { return gauge("membership_total") == 0; }));
  loop.runOnce(false);
  EXPECT_EQ(gauge("upstream_cx_active"), 1u);
  EXPECT_FALSE(session->closed.has_value());
  session.reset();
  EXPECT_TRUE(turnUntil([&] { return gauge("upstream_cx_active") == 0; }));
}

} // namespace
} // namespace culvert::upstream
