// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/stats/stat.h"
#include "source/stats/store_config.h"

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace culvert::stats {

class Store;
class TagExtractor;

// A prefix for names, and the owner of the stats named through it. A stat is known by its full name
// and kind: two scopes that name one share it, and it goes away with the last scope that named it.
//
// Threads: main. The stats themselves may be used by every data thread, also while main makes more.
// Lifetime: references live as long as the scope, which must outlive every thread's use of them.
class Scope {
public:
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  // One that the configuration's matcher leaves out is a shared one that never shows.
  Counter& counter(absl::string_view name);
  Gauge& gauge(absl::string_view name);
  Histogram& histogram(absl::string_view name, Unit unit);
  TextReadout& textReadout(absl::string_view name);

  // A scope below this one, joined with a dot unless `prefix` is empty or ends with one. It may
  // outlive this one. What cannot stand in a name (`:`, `://`) becomes `_`.
  std::unique_ptr<Scope> scope(absl::string_view prefix);

  absl::string_view prefix() const { return prefix_; }

private:
  friend class Store;

  Scope(Store& store, std::string prefix);

  Store& store_;
  const std::string prefix_; // Empty, or ends with a dot.
  absl::flat_hash_set<Stat*> held_;
};

// All stats of the process.
//
// Counters and gauges keep a cell for each thread, histograms keep bins for each thread. To collect
// the bins, every data thread calls takeThread() and sends the result to main, main calls merge()
// with each, and endInterval() when all are in.
//
// Threads: main, except takeThread().
// Lifetime: outlives all scopes and the threads that use their stats.
class Store {
public:
  // `threads` is main and the workers. `config` passed validate().
  Store(uint32_t threads, const StoreConfig& config);
  ~Store();

  Scope& root() { return *root_; }
  const TagExtractor& tags() const;

  // Moves out what the calling thread has recorded.
  // Threads: every data thread, for itself.
  ThreadHistograms takeThread();
  void merge(ThreadHistograms&& taken);
  void endInterval();

  void resetCounters();

  // In no order. Valid until a scope makes or releases stats.
  std::vector<const Counter*> counters() const;
  std::vector<const Gauge*> gauges() const;
  std::vector<const Histogram*> histograms() const;
  std::vector<const TextReadout*> textReadouts() const;

  // By full name, nullptr if there is none.
  const Counter* findCounter(absl::string_view name) const;
  const Gauge* findGauge(absl::string_view name) const;
  const Histogram* findHistogram(absl::string_view name) const;
  const TextReadout* findTextReadout(absl::string_view name) const;

private:
  friend class Scope;
  struct Stats;

  void release(Stat* stat);
  static void hold(Scope& scope, Stat& stat);

  CellPool cells_;
  std::unique_ptr<ThreadBins[]> bins_; // By thread.
  std::unique_ptr<Stats> stats_;
  std::unique_ptr<Scope> root_;
};

} // namespace culvert::stats
