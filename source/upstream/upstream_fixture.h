// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "source/event/simulated_clock.h"
#include "source/net/socket.h"
#include "source/upstream/cluster_manager.h"

namespace culvert::upstream {

// A host that a test can talk through: a listening loopback socket. Threads: the test's.
class TestHost {
public:
  TestHost() : fd_(*net::listenOn(*net::Address::parseIp("127.0.0.1", 0), {})) {}

  net::Address address() const { return net::Address::localOf(fd_.get()); }
  // A connection that waits, if there is one.
  net::Fd accept() const { return net::Fd(::accept(fd_.get(), nullptr, nullptr)); }

private:
  net::Fd fd_;
};

// One session's side of an Upstream: keeps what it hears. Threads: the worker's.
class TestSession final : public UpstreamHandler {
public:
  explicit TestSession(ThreadCluster& cluster) {
    auto result = cluster.connect(*this, context);
    if (auto* failure = std::get_if<ConnectFailure>(&result)) {
      failed = *failure;
    } else {
      upstream = std::get<std::unique_ptr<Upstream>>(std::move(result));
    }
  }

  void onUpstreamConnected() override {
    connected = true;
    upstream->resumeReading();
  }
  void onUpstreamFailed(ConnectFailure failure) override {
    failed = failure;
    reason = upstream->failureReason();
  }
  void onUpstreamData(net::Buffer& data, bool end) override {
    received += data.toString();
    ended = ended || end;
  }
  void onUpstreamWriteBlocked(bool) override {}
  void onUpstreamClosed(const net::CloseReason& why) override { closed = why; }

  void send(absl::string_view bytes, bool end = false) {
    net::Buffer data = net::Buffer::borrow(bytes);
    upstream->connection().write(data, end);
  }

  const LoadBalancerContext context;
  std::unique_ptr<Upstream> upstream;
  bool connected = false;
  bool ended = false;
  std::string received;
  std::string reason;
  std::optional<ConnectFailure> failed;
  std::optional<net::CloseReason> closed;
};

// A ClusterManager with one worker, both on one loop, so that a test sees each step.
// Threads: the test's.
class UpstreamTest : public testing::Test {
protected:
  explicit UpstreamTest(ClusterManagerOptions options = {})
      : manager(loop, store.root(), std::move(options)) {}

  static ClusterConfig clusterOf(const std::vector<net::Address>& hosts) {
    ClusterConfig config;
    config.name = "c";
    LocalityConfig& locality = config.endpoints.emplace_back();
    for (const net::Address& host : hosts) {
      locality.endpoints.emplace_back().address = host;
    }
    return config;
  }
  static ClusterConfig staticCluster(const TestHost& host) { return clusterOf({host.address()}); }

  void start(ClusterConfig config) {
    ASSERT_TRUE(manager.add(std::move(config)).ok());
    manager.initialize([] {});
    worker = manager.makeThread(loop);
  }
  ThreadCluster& cluster() { return *worker->find("c"); }

  // Turns until `done`, but not for ever.
  template <class Done> bool turnUntil(const Done& done) {
    const base::SystemClock real;
    const base::Instant deadline = real.now() + std::chrono::seconds(10);
    while (!done() && real.now() < deadline) {
      loop.runOnce(false);
      std::this_thread::yield();
    }
    return done();
  }
  std::unique_ptr<TestSession> connected() {
    auto session = std::make_unique<TestSession>(cluster());
    EXPECT_TRUE(turnUntil([&] { return session->connected; }));
    return session;
  }

  // Of cluster.c.
  uint64_t counter(const std::string& name) {
    const stats::Counter* found = store.findCounter("cluster.c." + name);
    return found == nullptr ? 999 : found->value();
  }
  uint64_t gauge(const std::string& name) {
    const stats::Gauge* found = store.findGauge("cluster.c." + name);
    return found == nullptr ? 999 : found->value();
  }

  event::SimulatedClock clock;
  stats::Store store{1, {}};
  event::Loop loop{"test", clock};
  ClusterManager manager;
  std::unique_ptr<ThreadClusters> worker;
};

} // namespace culvert::upstream
