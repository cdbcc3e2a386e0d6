// SPDX-License-Identifier: Apache-2.0
#include "source/stats/render.h"
#include "source/stats/store.h"

#include "benchmark/benchmark.h"

namespace culvert::stats {
namespace {

void counterAdd(benchmark::State& state) {
  Store store(3, {});
  Counter& counter = store.root().counter("c");
  for (auto _ : state) {
    counter.add();
    benchmark::ClobberMemory();
  }
}
BENCHMARK(counterAdd);

void gaugeAddAndSub(benchmark::State& state) {
  Store store(3, {});
  Gauge& gauge = store.root().gauge("g");
  for (auto _ : state) {
    gauge.add();
    gauge.sub();
    benchmark::ClobberMemory();
  }
}
BENCHMARK(gaugeAddAndSub);

// The argument is how many different values come.
void histogramRecord(benchmark::State& state) {
  Store store(3, {});
  Histogram& histogram = store.root().histogram("h", Unit::kMilliseconds);
  uint64_t value = 0;
  for (auto _ : state) {
    histogram.record(value);
    value = value + 1 < static_cast<uint64_t>(state.range(0)) ? value + 1 : 0;
  }
}
BENCHMARK(histogramRecord)->Arg(1)->Arg(100)->Arg(100000);

void fill(Store& store, int64_t clusters) {
  for (int64_t c = 0; c < clusters; ++c) {
    for (int s = 0; s < 100; ++s) {
      store.root().counter("cluster.c" + std::to_string(c) + ".stat" + std::to_string(s));
    }
  }
}

// The argument is clusters of 100 counters each.
void createCounters(benchmark::State& state) {
  for (auto _ : state) {
    Store store(3, {});
    fill(store, state.range(0));
  }
}
BENCHMARK(createCounters)->Arg(100);

void renderAll(benchmark::State& state, Format format) {
  Store store(3, {});
  fill(store, state.range(0));
  Query query;
  query.format = format;
  for (auto _ : state) {
    benchmark::DoNotOptimize(render(store, query));
  }
}
BENCHMARK_CAPTURE(renderAll, text, Format::kText)->Arg(100);
BENCHMARK_CAPTURE(renderAll, prometheus, Format::kPrometheus)->Arg(100);

} // namespace
} // namespace culvert::stats
