// SPDX-License-Identifier: Apache-2.0
#include "source/stats/stat.h"

namespace culvert::stats {
namespace {

const BinSet& noSamples() {
  static const BinSet none;
  return none;
}

} // namespace

bool Gauge::used() const {
  bool used = set_;
  for (uint32_t t = 0; t < threads_; ++t) {
    used = used || cell_[t * kCellStride].load(std::memory_order_relaxed) != 0;
  }
  return used;
}

const BinSet& Histogram::interval() const {
  return merged_ == nullptr ? noSamples() : merged_->interval;
}

const BinSet& Histogram::cumulative() const {
  return merged_ == nullptr ? noSamples() : merged_->cumulative;
}

void Histogram::merge(BinCount count) {
  if (merged_ == nullptr) {
    merged_ = std::make_unique<Merged>();
  }
  merged_->pending.add(count.bin, count.count);
}

void Histogram::endInterval() {
  if (merged_ == nullptr) {
    return;
  }
  merged_->interval.swap(merged_->pending);
  merged_->pending.clear();
  merged_->cumulative.add(merged_->interval);
}

} // namespace culvert::stats
