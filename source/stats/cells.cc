// SPDX-License-Identifier: Apache-2.0
#include "source/stats/cells.h"

namespace culvert::stats {

Cell* CellPool::take() {
  if (free_.empty()) {
    addChunk();
  }
  Cell* cell = free_.back();
  free_.pop_back();
  return cell;
}

void CellPool::giveBack(Cell* cell) {
  for (uint32_t t = 0; t < threads_; ++t) {
    cell[t * kCellStride].store(0, std::memory_order_relaxed);
  }
  free_.push_back(cell);
}

void CellPool::addChunk() {
  Cell* chunk = new (kCacheLine) Cell[threads_ * kCellStride]();
  chunks_.emplace_back(chunk);
  free_.reserve(chunks_.size() * kCellStride);
  for (size_t i = kCellStride; i > 0; --i) { // So that neighbours are handed out in order.
    free_.push_back(chunk + i - 1);
  }
}

} // namespace culvert::stats
