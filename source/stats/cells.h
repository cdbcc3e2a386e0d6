// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace culvert::stats {

// A number that one thread writes and any thread reads. Relaxed load plus relaxed store instead of
// a read-modify-write: with a single writer nothing is lost, and it costs what a plain add costs.
using Cell = std::atomic<uint64_t>;

// The cell of thread t lies t strides behind the cell of thread 0.
inline constexpr size_t kCellStride = 256;

// Hands out cells, one for each thread at a time. A chunk holds kCellStride cells of thread 0, then
// those of thread 1, and so on, so that two threads never write to one cache line.
//
// Threads: main. The cells themselves belong to their threads.
// Lifetime: outlives the cells that it handed out.
class CellPool {
public:
  explicit CellPool(uint32_t threads) : threads_(threads) {}

  uint32_t threads() const { return threads_; }

  // The cell of thread 0; the cells of all threads are zero.
  Cell* take();

  // No thread may write to the cells any more.
  void giveBack(Cell* cell);

  // The sum over all threads, modulo 2^64.
  static uint64_t sum(const Cell* cell, uint32_t threads) {
    uint64_t total = 0;
    for (uint32_t t = 0; t < threads; ++t) {
      total += cell[t * kCellStride].load(std::memory_order_relaxed);
    }
    return total;
  }

private:
  static constexpr std::align_val_t kCacheLine{64};
  struct Free {
    void operator()(Cell* cells) const { operator delete[](cells, kCacheLine); }
  };

  void addChunk();

  const uint32_t threads_;
  std::vector<std::unique_ptr<Cell[], Free>> chunks_;
  std::vector<Cell*> free_;
};

} // namespace culvert::stats
