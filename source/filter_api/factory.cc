// SPDX-License-Identifier: Apache-2.0
#include "source/filter_api/factory.h"

#include <utility>

#include "source/base/check.h"
#include "source/filter_api/filter.h"

namespace culvert {

// On main: every statistic that is asked for comes to be.
class NetworkFilterConfig::NamingContext final : public FilterContext {
public:
  explicit NamingContext(NetworkFilterConfig& config) : config_(config) {}

  Counter& counter(absl::string_view name) override {
    return *(config_.counters_[std::string(name)] = &config_.scope_->counter(name));
  }
  Gauge& gauge(absl::string_view name) override {
    return *(config_.gauges_[std::string(name)] = &config_.scope_->gauge(name));
  }
  Histogram& histogram(absl::string_view name, stats::Unit unit) override {
    return *(config_.histograms_[std::string(name)] = &config_.scope_->histogram(name, unit));
  }
  upstream::ThreadClusters* clusters() override { return nullptr; }

private:
  NetworkFilterConfig& config_;
};

// On a worker: they are only looked up, for making one is main's.
class NetworkFilterConfig::WorkerContext final : public FilterContext {
public:
  WorkerContext(const NetworkFilterConfig& config, upstream::ThreadClusters& clusters)
      : config_(config), clusters_(clusters) {}

  Counter& counter(absl::string_view name) override { return find(config_.counters_, name); }
  Gauge& gauge(absl::string_view name) override { return find(config_.gauges_, name); }
  Histogram& histogram(absl::string_view name, stats::Unit) override {
    return find(config_.histograms_, name);
  }
  upstream::ThreadClusters* clusters() override { return &clusters_; }

private:
  template <class Stat> static Stat& find(const Named<Stat>& stats, absl::string_view name) {
    const auto it = stats.find(name);
    CULVERT_CHECK(it != stats.end()); // A filter must name all its statistics in its constructor.
    return *it->second;
  }

  const NetworkFilterConfig& config_;
  upstream::ThreadClusters& clusters_;
};

NetworkFilterConfig::NetworkFilterConfig(std::string id, Sees sees, stats::Scope& scope)
    : id_(std::move(id)), sees_(sees), scope_(scope.scope(id_)) {}

std::unique_ptr<Filter> NetworkFilterConfig::newFilter(upstream::ThreadClusters& clusters) const {
  WorkerContext context(*this, clusters);
  return make(context);
}

void NetworkFilterConfig::nameStatistics() {
  NamingContext context(*this);
  make(context);
}

} // namespace culvert
