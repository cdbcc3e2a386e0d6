// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/policies.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "source/upstream/deadline_schedule.h"

namespace culvert::upstream {
namespace {

bool equalWeights(const std::vector<HostPtr>& hosts) {
  return std::all_of(hosts.begin(), hosts.end(), [&](const HostPtr& host) {
    return host->weight() == hosts.front()->weight();
  });
}

uint32_t busy(const Host& host) { return host.state().rq_active.load(std::memory_order_relaxed); }

double weightOf(const HostPtr& host) { return host->weight(); }

struct SlowWeight {
  SlowStart slow_start;
  double operator()(const HostPtr& host) const { return host->weight() * slow_start.factor(*host); }
};

class Rotation final : public HostPicker {
public:
  explicit Rotation(HostListPtr list) : list_(std::move(list)) {}

  const HostPtr* pick(const LoadBalancerContext&) override {
    const std::vector<HostPtr>& hosts = list_->hosts;
    if (hosts.empty()) {
      return nullptr;
    }
    return &hosts[list_->turn.fetch_add(1, std::memory_order_relaxed) % hosts.size()];
  }

private:
  const HostListPtr list_;
};

// Turns by weight. The list has hosts: equal weights and no weights go elsewhere.
template <class Weigh> class ByDeadline final : public HostPicker {
public:
  ByDeadline(HostListPtr list, Weigh weigh, uint64_t skip)
      : list_(std::move(list)), weigh_(weigh), schedule_(list_->hosts, weigh_) {
    for (; skip > 0; --skip) {
      schedule_.next(weigh_);
    }
  }

  const HostPtr* pick(const LoadBalancerContext&) override { return &schedule_.next(weigh_); }

private:
  const HostListPtr list_;
  const Weigh weigh_;
  DeadlineSchedule<HostPtr> schedule_;
};

class RoundRobin final : public BalancingPolicy {
public:
  RoundRobin(uint64_t seed, SlowStart slow_start) : random_(seed), slow_start_(slow_start) {}

  bool foreseeable() const override { return true; }
  std::unique_ptr<HostPicker> makePicker(const HostListPtr& list) override {
    const bool slow = slow_start_.concerns(list->hosts);
    if (!slow && equalWeights(list->hosts)) {
      return std::make_unique<Rotation>(list);
    }
    const uint64_t skip = random_.below(list->hosts.size());
    if (slow) {
      return std::make_unique<ByDeadline<SlowWeight>>(list, SlowWeight{slow_start_}, skip);
    }
    return std::make_unique<ByDeadline<double (*)(const HostPtr&)>>(list, weightOf, skip);
  }

private:
  base::Random random_;
  const SlowStart slow_start_;
};

class LeastBusy final : public HostPicker {
public:
  LeastBusy(HostListPtr list, const LeastRequestConfig& config, uint64_t seed)
      : list_(std::move(list)), choice_count_(config.choice_count), full_scan_(config.full_scan),
        random_(seed) {}

  const HostPtr* pick(const LoadBalancerContext&) override {
    const std::vector<HostPtr>& hosts = list_->hosts;
    if (hosts.empty()) {
      return nullptr;
    }
    return full_scan_ ? leastOfAll(hosts) : leastOfSome(hosts);
  }

private:
  const HostPtr* leastOfSome(const std::vector<HostPtr>& hosts) {
    const HostPtr* best = &hosts[random_.below(hosts.size())];
    for (uint32_t i = 1; i < choice_count_; ++i) {
      const HostPtr* const other = &hosts[random_.below(hosts.size())];
      if (busy(**other) < busy(**best)) {
        best = other;
      }
    }
    return best;
  }

  // From a random place on, so that among equals each has its chance.
  const HostPtr* leastOfAll(const std::vector<HostPtr>& hosts) {
    const size_t start = random_.below(hosts.size());
    const HostPtr* best = &hosts[start];
    for (size_t i = 1; i < hosts.size(); ++i) {
      const HostPtr* const other = &hosts[(start + i) % hosts.size()];
      if (busy(**other) < busy(**best)) {
        best = other;
      }
    }
    return best;
  }

  const HostListPtr list_;
  const uint32_t choice_count_;
  const bool full_scan_;
  base::Random random_;
};

struct BiasedWeight {
  double bias;
  double operator()(const HostPtr& host) const {
    const double load = busy(*host) + 1.0;
    if (bias == 1.0) { // The default, without the cost of pow.
      return host->weight() / load;
    }
    return bias == 0.0 ? host->weight() : host->weight() / std::pow(load, bias);
  }
};

struct SlowBiasedWeight {
  BiasedWeight weight;
  SlowStart slow_start;
  double operator()(const HostPtr& host) const { return weight(host) * slow_start.factor(*host); }
};

class LeastRequest final : public BalancingPolicy {
public:
  LeastRequest(const LeastRequestConfig& config, uint64_t seed) : config_(config), random_(seed) {}

  std::unique_ptr<HostPicker> makePicker(const HostListPtr& list) override {
    const bool slow = config_.slow_start.concerns(list->hosts);
    if (!slow && equalWeights(list->hosts)) {
      return std::make_unique<LeastBusy>(list, config_, random_.next());
    }
    const uint64_t skip = random_.below(list->hosts.size());
    const BiasedWeight weigh{config_.active_request_bias};
    if (slow) {
      const SlowBiasedWeight slow_weigh{weigh, config_.slow_start};
      return std::make_unique<ByDeadline<SlowBiasedWeight>>(list, slow_weigh, skip);
    }
    return std::make_unique<ByDeadline<BiasedWeight>>(list, weigh, skip);
  }

private:
  const LeastRequestConfig config_;
  base::Random random_;
};

class AnyHost final : public HostPicker {
public:
  AnyHost(HostListPtr list, uint64_t seed) : list_(std::move(list)), random_(seed) {}

  const HostPtr* pick(const LoadBalancerContext&) override {
    const std::vector<HostPtr>& hosts = list_->hosts;
    return hosts.empty() ? nullptr : &hosts[random_.below(hosts.size())];
  }

private:
  const HostListPtr list_;
  base::Random random_;
};

class RandomPolicy final : public BalancingPolicy {
public:
  explicit RandomPolicy(uint64_t seed) : random_(seed) {}

  bool foreseeable() const override { return true; }
  std::unique_ptr<HostPicker> makePicker(const HostListPtr& list) override {
    return std::make_unique<AnyHost>(list, random_.next());
  }

private:
  base::Random random_;
};

} // namespace

std::unique_ptr<BalancingPolicy> makeRoundRobin(uint64_t seed, SlowStart slow_start) {
  return std::make_unique<RoundRobin>(seed, slow_start);
}

std::unique_ptr<BalancingPolicy> makeLeastRequest(const LeastRequestConfig& config, uint64_t seed) {
  return std::make_unique<LeastRequest>(config, seed);
}

std::unique_ptr<BalancingPolicy> makeRandom(uint64_t seed) {
  return std::make_unique<RandomPolicy>(seed);
}

} // namespace culvert::upstream
