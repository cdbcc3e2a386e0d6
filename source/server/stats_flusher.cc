// SPDX-License-Identifier: Apache-2.0
#include "source/server/stats_flusher.h"

#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

namespace culvert::server {
namespace {

// A worker takes microseconds; one that is stuck must not stop main.
constexpr std::chrono::milliseconds kWaitMax(200);

} // namespace

// What the workers hand over. Shared with them: one that answers late finds it still there.
struct StatsFlusher::Collected {
  std::mutex mutex;
  std::condition_variable arrived;
  std::vector<stats::ThreadHistograms> taken;

  void add(stats::ThreadHistograms one) {
    const std::lock_guard<std::mutex> lock(mutex);
    taken.push_back(std::move(one));
    arrived.notify_one();
  }
};

StatsFlusher::StatsFlusher(event::Loop& main, stats::Store& store, Workers& workers,
                           std::function<void()> before, std::function<void()> after)
    : main_(main), store_(store), workers_(workers), before_(std::move(before)),
      after_(std::move(after)),
      timer_(main, event::Timer::Callback::to<&StatsFlusher::onTimer>(this)) {}

void StatsFlusher::startTimer(base::Duration interval) {
  interval_ = interval;
  timer_.arm(interval);
}

void StatsFlusher::onTimer() {
  timer_.arm(interval_);
  flush();
}

void StatsFlusher::ask(const std::shared_ptr<Collected>& collected) {
  before_();
  for (auto& worker : workers_) {
    worker->loop().post([this, collected] { collected->add(store_.takeThread()); });
  }
  store_.merge(store_.takeThread());
}

void StatsFlusher::flush() {
  if (std::exchange(under_way_, true)) {
    return;
  }
  auto collected = std::make_shared<Collected>();
  ask(collected);
  // The last worker's answer comes after those of the others: each passes main's message on.
  auto last = std::make_shared<size_t>(workers_.size());
  for (auto& worker : workers_) {
    worker->loop().post([this, collected, last] {
      main_.post([this, collected, last] {
        if (--*last == 0) {
          under_way_ = false;
          finish(*collected);
        }
      });
    });
  }
}

void StatsFlusher::flushAndWait() {
  auto collected = std::make_shared<Collected>();
  ask(collected);
  {
    std::unique_lock<std::mutex> lock(collected->mutex);
    collected->arrived.wait_for(lock, kWaitMax,
                                [&] { return collected->taken.size() == workers_.size(); });
  }
  finish(*collected);
}

void StatsFlusher::finish(Collected& collected) {
  const std::lock_guard<std::mutex> lock(collected.mutex);
  for (stats::ThreadHistograms& one : collected.taken) {
    store_.merge(std::move(one));
  }
  collected.taken.clear();
  store_.endInterval();
  after_();
}

} // namespace culvert::server
