// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "source/base/hash.h"
#include "source/stats/store.h"
#include "source/upstream/hash_policies.h"
#include "source/upstream/hash_table.h"

namespace culvert::upstream {
namespace {

class MaglevTable final : public HashTable {
public:
  MaglevTable(HostListPtr hosts, const MaglevConfig& config) : HashTable(std::move(hosts)) {
    std::vector<Claimant> claimants = claimantsOf(list(), config);
    if (!claimants.empty()) {
      places_.resize(config.table_size);
      fill(claimants);
    }
  }

  const HostPtr* at(uint64_t hash) const override {
    return places_.empty() ? nullptr : places_[hash % places_.size()];
  }

  bool empty() const { return places_.empty(); }
  uint64_t leastOfHost() const { return least_; }
  uint64_t mostOfHost() const { return most_; }

private:
  struct Claimant {
    std::string key;
    const HostPtr* host;
    double weight;
    uint64_t place; // Its next choice.
    uint64_t skip;
    double target = 0;
    uint64_t count = 0;
  };

  static std::vector<Claimant> claimantsOf(const HostList& list, const MaglevConfig& config) {
    std::vector<Claimant> claimants;
    for (const HashShare& share : hashSharesOf(list)) {
      Claimant claimant{(*share.host)->hashKey(config.by_hostname), share.host, share.part, 0, 0};
      claimant.place = base::xxHash64(claimant.key) % config.table_size;
      claimant.skip = base::xxHash64(claimant.key, 1) % (config.table_size - 1) + 1;
      claimants.push_back(std::move(claimant));
    }
    // So that the table does not follow from the order in which hosts are listed.
    std::sort(claimants.begin(), claimants.end(),
              [](const Claimant& a, const Claimant& b) { return a.key < b.key; });
    return claimants;
  }

  void fill(std::vector<Claimant>& claimants) {
    double most_weight = 0;
    for (const Claimant& claimant : claimants) {
      most_weight = std::max(most_weight, claimant.weight);
    }
    uint64_t left = places_.size();
    for (uint32_t round = 1; left > 0; ++round) {
      for (size_t i = 0; i < claimants.size() && left > 0; ++i) {
        Claimant& claimant = claimants[i];
        if (round * claimant.weight < claimant.target) {
          continue;
        }
        claimant.target += most_weight;
        take(claimant);
        --left;
      }
    }
    const auto [least, most] =
        std::minmax_element(claimants.begin(), claimants.end(),
                            [](const Claimant& a, const Claimant& b) { return a.count < b.count; });
    least_ = least->count;
    most_ = most->count;
  }

  void take(Claimant& claimant) {
    while (places_[claimant.place] != nullptr) {
      claimant.place = (claimant.place + claimant.skip) % places_.size();
    }
    places_[claimant.place] = claimant.host;
    claimant.count++;
  }

  std::vector<const HostPtr*> places_;
  uint64_t least_ = 0;
  uint64_t most_ = 0;
};

class Maglev final : public HashPolicy {
public:
  Maglev(const MaglevConfig& config, const PolicyContext& context)
      : HashPolicy(context.seed), config_(config),
        least_(context.scope.gauge("maglev_lb.min_entries_per_host")),
        most_(context.scope.gauge("maglev_lb.max_entries_per_host")) {}

private:
  std::shared_ptr<const HashTable> makeTable(const HostListPtr& list) override {
    auto table = std::make_shared<MaglevTable>(list, config_);
    if (!table->empty()) {
      least_.set(table->leastOfHost());
      most_.set(table->mostOfHost());
    }
    return table;
  }

  const MaglevConfig config_;
  stats::Gauge& least_;
  stats::Gauge& most_;
};

} // namespace

std::unique_ptr<BalancingPolicy> makeMaglev(const MaglevConfig& config,
                                            const PolicyContext& context) {
  return std::make_unique<Maglev>(config, context);
}

} // namespace culvert::upstream
