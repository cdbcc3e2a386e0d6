// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/hash_table.h"

#include <optional>
#include <utility>

#include "source/upstream/upstream.h"

namespace culvert::upstream {
namespace {

void addShares(const std::vector<HostPtr>& hosts, double whole, std::vector<HashShare>& shares) {
  double sum = 0;
  for (const HostPtr& host : hosts) {
    sum += host->weight();
  }
  for (const HostPtr& host : hosts) {
    shares.push_back({&host, host->weight() / sum * whole});
  }
}

class TablePicker final : public HostPicker {
public:
  TablePicker(std::shared_ptr<const HashTable> table, uint64_t seed)
      : table_(std::move(table)), random_(seed) {}

  const HostPtr* pick(const LoadBalancerContext& context) override {
    const std::optional<uint64_t> hash = context.hashKey();
    return table_->at(hash.has_value() ? *hash : random_.next());
  }

private:
  const std::shared_ptr<const HashTable> table_;
  base::Random random_;
};

} // namespace

std::vector<HashShare> hashSharesOf(const HostList& list) {
  double sum = 0;
  for (const LocalityHosts& locality : list.localities) {
    sum += locality.weight;
  }
  std::vector<HashShare> shares;
  if (sum == 0) {
    addShares(list.hosts, 1, shares);
    return shares;
  }
  for (const LocalityHosts& locality : list.localities) {
    if (locality.weight > 0) {
      addShares(locality.hosts->hosts, locality.weight / sum, shares);
    }
  }
  return shares;
}

std::unique_ptr<HostPicker> HashPolicy::makePicker(const HostListPtr& list) {
  return std::make_unique<TablePicker>(tableOf(list), random_.next());
}

// Workers ask for the same lists one after the other.
std::shared_ptr<const HashTable> HashPolicy::tableOf(const HostListPtr& list) {
  absl::erase_if(tables_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<const HashTable>& known = tables_[list.get()];
  std::shared_ptr<const HashTable> table = known.lock();
  if (table == nullptr) {
    table = makeTable(list);
    known = table;
  }
  return table;
}

} // namespace culvert::upstream
