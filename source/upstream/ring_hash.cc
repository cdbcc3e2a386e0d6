// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/base/hash.h"
#include "source/stats/store.h"
#include "source/upstream/hash_policies.h"
#include "source/upstream/hash_table.h"

namespace culvert::upstream {
namespace {

class Ring final : public HashTable {
public:
  struct Point {
    uint64_t hash;
    const HostPtr* host;
  };
  struct Size {
    uint64_t least_of_host;
    uint64_t most_of_host;
  };

  Ring(HostListPtr hosts, const RingHashConfig& config) : HashTable(std::move(hosts)) {
    const std::vector<HashShare> shares = hashSharesOf(list());
    if (shares.empty()) {
      return;
    }
    double least = 1;
    for (const HashShare& share : shares) {
      least = std::min(least, share.part);
    }
    // As many points that the host of the least weight has a whole number of them.
    const double scale =
        std::min(std::ceil(least * static_cast<double>(config.minimum_ring_size)) / least,
                 static_cast<double>(config.maximum_ring_size));
    fill(shares, scale, config);
    std::sort(points_.begin(), points_.end(),
              [](const Point& a, const Point& b) { return a.hash < b.hash; });
  }

  const HostPtr* at(uint64_t hash) const override {
    if (points_.empty()) {
      return nullptr;
    }
    const auto next = std::lower_bound(points_.begin(), points_.end(), hash,
                                       [](const Point& p, uint64_t key) { return p.hash < key; });
    return next == points_.end() ? points_.front().host : next->host;
  }

  uint64_t size() const { return points_.size(); }
  const Size& sizes() const { return sizes_; }

private:
  // Shares need not be whole numbers of points: what one host lacks the next ones have.
  void fill(const std::vector<HashShare>& shares, double scale, const RingHashConfig& config) {
    points_.reserve(static_cast<size_t>(std::ceil(scale)));
    sizes_ = {static_cast<uint64_t>(std::ceil(scale)), 0};
    double target = 0;
    for (const HashShare& share : shares) {
      target += scale * share.part;
      const std::string key = (*share.host)->hashKey(config.by_hostname);
      uint64_t count = 0;
      while (static_cast<double>(points_.size()) < target) {
        points_.push_back({hash(absl::StrCat(key, "_", count++), config.function), share.host});
      }
      sizes_.least_of_host = std::min(sizes_.least_of_host, count);
      sizes_.most_of_host = std::max(sizes_.most_of_host, count);
    }
  }

  static uint64_t hash(const std::string& text, HashFunction function) {
    // Envoy's MurmurHash2 has the seed of libstdc++'s std::hash, which is the same function.
    return function == HashFunction::kXxHash ? base::xxHash64(text)
                                             : std::hash<std::string_view>()(text);
  }

  std::vector<Point> points_;
  Size sizes_{0, 0};
};

class RingHash final : public HashPolicy {
public:
  RingHash(const RingHashConfig& config, const PolicyContext& context)
      : HashPolicy(context.seed), config_(config), size_(context.scope.gauge("ring_hash_lb.size")),
        least_(context.scope.gauge("ring_hash_lb.min_hashes_per_host")),
        most_(context.scope.gauge("ring_hash_lb.max_hashes_per_host")) {}

private:
  std::shared_ptr<const HashTable> makeTable(const HostListPtr& list) override {
    auto ring = std::make_shared<Ring>(list, config_);
    if (ring->size() > 0) {
      size_.set(ring->size());
      least_.set(ring->sizes().least_of_host);
      most_.set(ring->sizes().most_of_host);
    }
    return ring;
  }

  const RingHashConfig config_;
  stats::Gauge& size_;
  stats::Gauge& least_;
  stats::Gauge& most_;
};

} // namespace

std::unique_ptr<BalancingPolicy> makeRingHash(const RingHashConfig& config,
                                              const PolicyContext& context) {
  return std::make_unique<RingHash>(config, context);
}

} // namespace culvert::upstream
