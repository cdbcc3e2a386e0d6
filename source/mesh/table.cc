// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/table.h"

#include <algorithm>
#include <utility>

#include "source/mesh/internal/table_writer.h"

namespace culvert::mesh {

WorkloadTable::WorkloadTable(std::string node_name)
    : node_name_(std::move(node_name)), indexes_(std::make_unique<TableIndexes>()) {}

WorkloadTable::~WorkloadTable() = default;

std::vector<Rejection> WorkloadTable::apply(absl::Span<const Change> changes) {
  TableWriter writer(*this);
  std::vector<Rejection> rejections = writer.apply(changes);
  tell(writer.touched());
  return rejections;
}

void WorkloadTable::tell(const Touched& touched) {
  if (touched.workloads) {
    workload_version_.fetch_add(1, std::memory_order_release);
  }
  if (touched.policies) {
    policy_version_.fetch_add(1, std::memory_order_release);
  }
  if (!touched.any()) {
    return;
  }
  const std::vector<Watch*> watches = watches_; // A callback may end one, or begin one.
  for (Watch* watch : watches) {
    if (std::find(watches_.begin(), watches_.end(), watch) != watches_.end()) {
      watch->callback_(touched);
    }
  }
}

std::unique_ptr<WorkloadTable::Watch>
WorkloadTable::watch(std::function<void(const Touched&)> callback) {
  std::unique_ptr<Watch> watch(new Watch(*this, std::move(callback)));
  watches_.push_back(watch.get());
  return watch;
}

WorkloadTable::Watch::~Watch() { std::erase(table_.watches_, this); }

WorkloadTable::Sizes WorkloadTable::sizes() const {
  Sizes sizes;
  sizes.workloads = indexes_->workloads.size();
  for (const auto& [key, slot] : indexes_->services) {
    (slot->service ? sizes.services : sizes.staged)++;
  }
  sizes.policies = indexes_->policies.size();
  sizes.texts = texts_.size();
  return sizes;
}

} // namespace culvert::mesh
