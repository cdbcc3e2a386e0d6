// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/base/thread_slot.h"
#include "source/stats/bins.h"
#include "source/stats/cells.h"

#include "absl/strings/string_view.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace culvert::stats {

enum class Unit : uint8_t { kUnspecified, kBytes, kMicroseconds, kMilliseconds, kPercent };
enum class Kind : uint8_t { kCounter, kGauge, kHistogram, kTextReadout };

// What all stats have: a full name, and how many scopes hold them.
// Threads: main; what workers may call is said where it is.
// Lifetime: the store's; alive while a scope holds it, see Scope.
class Stat {
public:
  Stat(const Stat&) = delete;
  Stat& operator=(const Stat&) = delete;

  const std::string& name() const { return name_; }
  Kind kind() const { return kind_; }

protected:
  Stat(std::string name, Kind kind, uint32_t threads = 0)
      : name_(std::move(name)), threads_(threads), kind_(kind) {}
  ~Stat() = default;

private:
  friend class Store;

  const std::string name_;
  uint32_t scopes_ = 0;

protected:
  const uint32_t threads_ : 24;
  const Kind kind_;
};

// A number that only grows.
class Counter final : public Stat {
public:
  Counter(std::string name, Cell* cell, uint32_t threads)
      : Stat(std::move(name), Kind::kCounter, threads), cell_(cell) {}

  // Threads: every data thread. No lock and no locked instruction.
  void add(uint64_t n = 1) {
    Cell& cell = cell_[base::thread_slot * kCellStride];
    cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  // Since the start or the last reset().
  uint64_t value() const { return CellPool::sum(cell_, threads_) - at_reset_; }

  // Cells belong to their threads, so a reset remembers where they stood.
  void reset() { at_reset_ = CellPool::sum(cell_, threads_); }

  // Whether it was ever above 0; a reset does not change that.
  bool used() const { return CellPool::sum(cell_, threads_) != 0; }

private:
  friend class Store;

  Cell* const cell_;
  uint64_t at_reset_ = 0;
};

// A number that goes up and down. A cell holds twice what its thread added less what it subtracted,
// plus 1 once the thread has written it: that tells a gauge that is back at 0 from one never used.
class Gauge final : public Stat {
public:
  Gauge(std::string name, Cell* cell, uint32_t threads)
      : Stat(std::move(name), Kind::kGauge, threads), cell_(cell) {}

  // Threads: every data thread, and another than the one that added may subtract.
  void add(uint64_t n = 1) {
    Cell& cell = cell_[base::thread_slot * kCellStride];
    cell.store((cell.load(std::memory_order_relaxed) + 2 * n) | 1, std::memory_order_relaxed);
  }
  void sub(uint64_t n = 1) { add(-n); }

  // Threads: main. Of a gauge that workers add to, only what they had added is replaced.
  void set(uint64_t value) {
    base_ = value - delta();
    set_ = true;
  }

  uint64_t value() const { return base_ + delta(); }

  // Whether it was ever written, even if only to 0.
  bool used() const;

private:
  friend class Store;

  uint64_t delta() const {
    uint64_t total = 0;
    for (uint32_t t = 0; t < threads_; ++t) {
      const uint64_t cell = cell_[t * kCellStride].load(std::memory_order_relaxed);
      total += static_cast<uint64_t>(static_cast<int64_t>(cell) >> 1);
    }
    return total;
  }

  Cell* const cell_;
  uint64_t base_ = 0;
  bool set_ = false;
};

// The distribution of whole numbers. Each thread records into bins of its own, which come to main
// at each flush; so a value is seen after the flush that follows it.
// Units: as the unit says; kPercent takes fractions scaled by kPercentScale.
class Histogram final : public Stat {
public:
  static constexpr uint64_t kPercentScale = 1000000;

  // A null `bins` makes a histogram that records nothing. `number` is its place in the bins.
  // `buckets` outlives it.
  Histogram(std::string name, Unit unit, ThreadBins* bins, uint32_t number,
            const std::vector<double>& buckets)
      : Stat(std::move(name), Kind::kHistogram), unit_(unit), number_(number), bins_(bins),
        buckets_(buckets) {}

  // Threads: every data thread.
  void record(uint64_t value) {
    if (bins_ != nullptr) {
      bins_[base::thread_slot].record(number_, value);
    }
  }

  Unit unit() const { return unit_; }

  // The upper bounds that it is shown with, ascending.
  const std::vector<double>& buckets() const { return buckets_; }

  // Samples of the last interval, and of all intervals that have ended.
  const BinSet& interval() const;
  const BinSet& cumulative() const;

  bool used() const { return merged_ != nullptr && !merged_->cumulative.empty(); }

private:
  friend class Store;

  struct Merged {
    BinSet pending; // Of the interval that is being collected.
    BinSet interval;
    BinSet cumulative;
  };

  void merge(BinCount count);
  void endInterval();

  const Unit unit_;
  const uint32_t number_;
  ThreadBins* const bins_;
  const std::vector<double>& buckets_;
  std::unique_ptr<Merged> merged_; // From the first sample on.
};

// A text, such as a version.
// Threads: main.
class TextReadout final : public Stat {
public:
  explicit TextReadout(std::string name) : Stat(std::move(name), Kind::kTextReadout) {}

  void set(absl::string_view value) {
    value_ = std::string(value);
    used_ = true;
  }
  const std::string& value() const { return value_; }
  bool used() const { return used_; }

private:
  std::string value_;
  bool used_ = false;
};

} // namespace culvert::stats
