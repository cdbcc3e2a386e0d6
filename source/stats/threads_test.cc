// SPDX-License-Identifier: Apache-2.0
#include "source/stats/store.h"

#include "gtest/gtest.h"

#include <atomic>
#include <mutex>
#include <thread>

namespace culvert::stats {
namespace {

constexpr uint32_t kWorkers = 4;
constexpr uint64_t kAdds = 200000;

// Main reads, makes and releases stats and collects bins while all workers write: run under TSan.
TEST(Threads, WriteWhileMainReadsAndMakesStats) {
  Store store(1 + kWorkers, {});
  Counter& counter = store.root().counter("shared");
  Gauge& gauge = store.root().gauge("active");
  Histogram& histogram = store.root().histogram("h", Unit::kBytes);
  std::atomic<uint32_t> running = kWorkers;
  std::mutex mutex;
  std::vector<ThreadHistograms> arrived;

  std::vector<std::thread> workers;
  for (uint32_t slot = 1; slot <= kWorkers; ++slot) {
    workers.emplace_back([&, slot] {
      base::thread_slot = slot;
      for (uint64_t i = 1; i <= kAdds; ++i) {
        counter.add();
        gauge.add(2);
        gauge.sub();
        histogram.record(i);
        if (i % 1000 == 0) {
          ThreadHistograms taken = store.takeThread();
          const std::lock_guard lock(mutex);
          arrived.push_back(std::move(taken));
        }
      }
      --running;
    });
  }

  uint64_t before = 0;
  for (int round = 0; running > 0; ++round) {
    auto scope = store.root().scope("round" + std::to_string(round));
    scope->counter("c").add();
    scope->histogram("h", Unit::kBytes).record(1);
    const uint64_t now = counter.value();
    EXPECT_GE(now, before);
    before = now;
    store.merge(store.takeThread());
    store.endInterval();
  }
  for (std::thread& worker : workers) {
    worker.join();
  }
  for (ThreadHistograms& taken : arrived) {
    store.merge(std::move(taken));
  }
  store.endInterval();

  EXPECT_EQ(counter.value(), kWorkers * kAdds);
  EXPECT_EQ(gauge.value(), kWorkers * kAdds);
  uint64_t samples = 0;
  for (const BinCount& entry : histogram.cumulative().counts()) {
    samples += entry.count;
  }
  EXPECT_EQ(samples, kWorkers * kAdds);
}

} // namespace
} // namespace culvert::stats
