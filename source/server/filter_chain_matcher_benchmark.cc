// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/server/filter_chain_matcher.h"

namespace culvert::server {
namespace {

std::vector<FilterChainPtr> chains(int count, void (*fill)(FilterChainMatch&, int)) {
  std::vector<FilterChainPtr> all;
  for (int i = 0; i < count; i++) {
    auto chain = std::make_shared<FilterChain>();
    chain->match_text = absl::StrCat(i);
    if (count > 1) {
      fill(chain->match, i);
    }
    all.push_back(std::move(chain));
  }
  return all;
}

void byName(FilterChainMatch& match, int i) {
  match.server_names = {absl::StrCat("s", i, ".test")};
}

// As a mesh has them: an address and a port for each service, and the transport twice.
void byService(FilterChainMatch& match, int i) {
  match.prefix_ranges = {
      *net::Cidr::create(absl::StrCat("10.0.", i / 2 / 256, ".", i / 2 % 256), 32)};
  match.destination_port = static_cast<uint16_t>(8000 + i / 2 % 4);
  match.transport_protocol = i % 2 == 0 ? "tls" : "raw_buffer";
}

void find(benchmark::State& state, void (*fill)(FilterChainMatch&, int)) {
  const auto matcher =
      *FilterChainMatcher::create(chains(static_cast<int>(state.range(0)), fill), nullptr);
  const net::Address destination = *net::Address::parseIp("10.0.0.3", 8003);
  const net::Address source = *net::Address::parseIp("10.1.2.3", 40000);
  const std::vector<std::string> protocols = {"h2", "http/1.1"};
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        matcher->find({destination, source, source, "s7.test", "raw_buffer", protocols}));
  }
}

void BM_FindByName(benchmark::State& state) { find(state, byName); }
BENCHMARK(BM_FindByName)->Arg(1)->Arg(10)->Arg(1000);

void BM_FindByService(benchmark::State& state) { find(state, byService); }
BENCHMARK(BM_FindByService)->Arg(1)->Arg(10)->Arg(1000);

void BM_Create(benchmark::State& state) {
  const auto all = chains(static_cast<int>(state.range(0)), byService);
  for (auto _ : state) {
    benchmark::DoNotOptimize(FilterChainMatcher::create(all, nullptr));
  }
}
BENCHMARK(BM_Create)->Arg(10)->Arg(1000);

} // namespace
} // namespace culvert::server
