// SPDX-License-Identifier: Apache-2.0

// What a worker pays for one choice of a host, by policy, and for one attempt to connect.

#include <benchmark/benchmark.h>

#include "source/base/log.h"
#include "source/upstream/balancing.h"
#include "source/upstream/cluster_manager.h"
#include "source/upstream/policies.h"
#include "source/upstream/upstream.h"

namespace culvert::upstream {
namespace {

constexpr int kHosts = 100;

net::Address address(int i) {
  return *net::Address::parseIp("127.0.0.1", static_cast<uint16_t>(1 + i));
}

HostSets makeHosts(bool weighted) {
  std::vector<HostPtr> hosts;
  for (int i = 0; i < kHosts; ++i) {
    EndpointConfig endpoint;
    endpoint.weight = weighted ? static_cast<uint32_t>(1 + i % 7) : 1;
    hosts.push_back(std::make_shared<Host>(endpoint, LocalityConfig(), address(i), "c"));
  }
  return makeHostSets(hosts, {});
}

void pick(benchmark::State& state, BalancingPolicy& policy, bool weighted) {
  const HostSets sets = makeHosts(weighted);
  Balancer balancer(sets, spreadLoad(sets, {}), policy, 1);
  const LoadBalancerContext context;
  for (auto _ : state) {
    benchmark::DoNotOptimize(balancer.pick(context));
  }
}

void PickRoundRobin(benchmark::State& state) {
  pick(state, *makeRoundRobin(1), state.range(0) != 0);
}
BENCHMARK(PickRoundRobin)->ArgName("weighted")->Arg(0)->Arg(1);

void PickLeastRequest(benchmark::State& state) {
  pick(state, *makeLeastRequest({}, 1), state.range(0) != 0);
}
BENCHMARK(PickLeastRequest)->ArgName("weighted")->Arg(0)->Arg(1);

void PickRandom(benchmark::State& state) { pick(state, *makeRandom(1), false); }
BENCHMARK(PickRandom);

// Gives connections that go nowhere and cost nothing: what is left is the room's own.
class NoTransport final : public TransportSocketFactory {
public:
  class Io final : public net::Io {
  public:
    void setReadyCallback(ReadyCallback) override {}
    void setRead(event::FdEvents::ReadInterest) override {}
    void setWrite(bool) override {}
    void activate(uint32_t) override {}
    net::IoResult open() override { return {net::IoStatus::kOk}; }
    net::IoResult read(absl::Span<char>) override { return {net::IoStatus::kOk}; }
    net::IoResult write(absl::Span<const iovec>) override { return {net::IoStatus::kOk}; }
    void shutdownWrite() override {}
    void close(bool) override {}
    bool peerReset() override { return false; }
    net::Address localAddress() const override { return {}; }
  };

  absl::StatusOr<std::unique_ptr<net::Io>> connect(event::Loop&, const net::HostDescription&,
                                                   const net::ConnectOptions&,
                                                   const LoadBalancerContext&) const override {
    return std::make_unique<Io>();
  }
};

struct NoSession final : UpstreamHandler {
  void onUpstreamConnected() override {}
  void onUpstreamFailed(ConnectFailure) override {}
  void onUpstreamData(net::Buffer&, bool) override {}
  void onUpstreamWriteBlocked(bool) override {}
  void onUpstreamClosed(const net::CloseReason&) override {}
};

// Find the cluster, take the breakers, pick, count, arm the timer; then all of it back.
void ConnectAndClose(benchmark::State& state) {
  base::log::setLevel(base::LogLevel::warning);
  const base::SystemClock clock;
  stats::Store store(1, {});
  event::Loop loop("bench", clock);
  ClusterManager manager(loop, store.root(), {});
  ClusterConfig config;
  config.name = "backend";
  config.transport = std::make_shared<NoTransport>();
  config.endpoints.resize(1);
  config.endpoints[0].endpoints.resize(kHosts);
  for (int i = 0; i < kHosts; ++i) {
    config.endpoints[0].endpoints[static_cast<size_t>(i)].address = address(i);
  }
  static_cast<void>(manager.add(std::move(config)));
  manager.initialize([] {});
  const std::unique_ptr<ThreadClusters> worker = manager.makeThread(loop);
  NoSession session;
  const LoadBalancerContext context;
  for (auto _ : state) {
    benchmark::DoNotOptimize(worker->find("backend")->connect(session, context));
  }
}
BENCHMARK(ConnectAndClose);

} // namespace
} // namespace culvert::upstream

BENCHMARK_MAIN();
