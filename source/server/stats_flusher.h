// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "source/event/timer_heap.h"
#include "source/server/listener_manager.h"
#include "source/stats/store.h"

namespace culvert::server {

// Brings what the workers' histograms recorded to main: every stats_flush_interval, or with
// stats_flush_on_admin each time that somebody looks.
// Threads: main. Lifetime: destroyed before the workers.
class StatsFlusher {
public:
  // `before` refreshes what is only known when asked for; `after` tells what was collected.
  StatsFlusher(event::Loop& main, stats::Store& store, Workers& workers,
               std::function<void()> before, std::function<void()> after);

  void startTimer(base::Duration interval);

  // Asks all threads for theirs and ends the interval when they are in, in a later turn. While one
  // flush is under way, a further one is part of it.
  void flush();
  // The same before it returns. Waits for the workers, though not for ever.
  void flushAndWait();

private:
  struct Collected;

  void onTimer();
  void ask(const std::shared_ptr<Collected>& collected);
  void finish(Collected& collected);

  event::Loop& main_;
  stats::Store& store_;
  Workers& workers_;
  const std::function<void()> before_;
  const std::function<void()> after_;
  base::Duration interval_{0};
  event::Timer timer_;
  bool under_way_ = false;
};

} // namespace culvert::server
