// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/outlier_detector.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "source/base/log.h"
#include "source/upstream/event_json.h"

namespace culvert::upstream {
namespace {

// By OutlierKind: as statistics and runtime keys have it; Envoy's events say it in capitals.
constexpr const char* kNames[] = {
    "consecutive_5xx",
    "consecutive_gateway_failure",
    "consecutive_local_origin_failure",
    "success_rate",
    "local_origin_success_rate",
    "failure_percentage",
    "local_origin_failure_percentage",
};

constexpr size_t index(OutlierKind kind) { return static_cast<size_t>(kind); }

std::string eventType(OutlierKind kind) {
  switch (kind) {
  case OutlierKind::kLocalOriginSuccessRate:
    return "SUCCESS_RATE_LOCAL_ORIGIN";
  case OutlierKind::kLocalOriginFailurePercentage:
    return "FAILURE_PERCENTAGE_LOCAL_ORIGIN";
  default:
    return absl::AsciiStrToUpper(kNames[index(kind)]);
  }
}

} // namespace

struct OutlierDetector::Stats {
  explicit Stats(stats::Scope& scope)
      : active(scope.gauge("outlier_detection.ejections_active")),
        enforced_total(scope.counter("outlier_detection.ejections_enforced_total")),
        overflow(scope.counter("outlier_detection.ejections_overflow")),
        old_total(scope.counter("outlier_detection.ejections_total")),
        old_consecutive_5xx(scope.counter("outlier_detection.ejections_consecutive_5xx")),
        old_success_rate(scope.counter("outlier_detection.ejections_success_rate")) {
    for (size_t i = 0; i < kKinds; ++i) {
      detected[i] =
          &scope.counter(absl::StrCat("outlier_detection.ejections_detected_", kNames[i]));
      enforced[i] =
          &scope.counter(absl::StrCat("outlier_detection.ejections_enforced_", kNames[i]));
    }
    scope.counter("outlier_detection.ejections_detected_degradation"); // Of HTTP.
  }

  stats::Gauge& active;
  stats::Counter& enforced_total;
  stats::Counter& overflow;
  stats::Counter& old_total;
  stats::Counter& old_consecutive_5xx;
  stats::Counter& old_success_rate;
  std::array<stats::Counter*, kKinds> detected;
  std::array<stats::Counter*, kKinds> enforced;
};

// To be looked at on main only.
struct OutlierDetector::Handle {
  OutlierDetector* detector;
};

struct OutlierDetector::Watched {
  HostPtr host;
  std::optional<base::Instant> ejected_at;
  std::optional<base::Instant> returned_at;
  base::Duration jitter{};
  OutlierKind last_kind = OutlierKind::kConsecutive5xx;
  uint32_t ejections = 0;
  uint32_t backoff = 0;               // How many times base_ejection_time the next one is.
  OutlierCounts::Rate interval{0, 0}; // In the one that has just ended.
  std::optional<double> success_rate; // Percent, if there was enough of it.

  bool ejected() const { return (host->healthFlags() & kFailedOutlierCheck) != 0; }
  double rate() const {
    return static_cast<double>(interval.succeeded) * 100 / static_cast<double>(interval.total);
  }
};

OutlierDetector::OutlierDetector(event::Loop& main, ClusterInfoPtr info, uint64_t seed,
                                 const Runtime& runtime, std::shared_ptr<access_log::LogFile> log,
                                 std::function<void(const Host&)> changed)
    : loop_(main), info_(std::move(info)), config_(*info_->config.outlier), random_(seed),
      runtime_(runtime), stats_(std::make_unique<Stats>(*info_->scope)), log_(std::move(log)),
      changed_(std::move(changed)), handle_(std::make_shared<Handle>(Handle{this})),
      prepare_([info = info_, &main, handle = handle_](HostState& state) {
        const auto reached = [&main, handle, host = &state](OutlierKind kind) {
          main.post([handle, host, kind] {
            if (handle->detector != nullptr) {
              handle->detector->onReached(host, kind);
            }
          });
        };
        state.outlier = std::make_unique<OutlierCounts>(*info->config.outlier, reached);
      }),
      interval_timer_(main, event::Timer::Callback::to<&OutlierDetector::onInterval>(this)) {
  armInterval();
}

OutlierDetector::~OutlierDetector() { handle_->detector = nullptr; }

void OutlierDetector::setHosts(const std::vector<HostPtr>& hosts) {
  absl::flat_hash_set<const HostState*> wanted;
  for (const HostPtr& host : hosts) {
    wanted.insert(&host->state());
    watch(host);
  }
  for (auto it = hosts_.begin(); it != hosts_.end();) {
    if (wanted.contains(it->first)) {
      ++it;
      continue;
    }
    forget(*it->second);
    hosts_.erase(it++);
  }
}

void OutlierDetector::watch(const HostPtr& host) {
  HostState* const state = &host->state();
  std::unique_ptr<Watched>& watched = hosts_[state];
  if (watched != nullptr) {
    watched->host = host; // Perhaps at another address.
    return;
  }
  watched = std::make_unique<Watched>();
  watched->host = host;
  if (state->outlier == nullptr) {
    prepare_(*state);
  }
}

void OutlierDetector::forget(Watched& watched) {
  if (watched.ejected()) {
    stats_->active.set(--ejected_);
  }
}

// The host may be gone by now: `host` is only a name.
void OutlierDetector::onReached(const HostState* host, OutlierKind kind) {
  const auto it = hosts_.find(host);
  if (it == hosts_.end() || it->second->ejected()) {
    return;
  }
  Watched& watched = *it->second;
  detect(watched, kind);
  watched.host->state().outlier->reset(kind);
}

void OutlierDetector::detect(Watched& watched, OutlierKind kind) {
  stats_->detected[index(kind)]->add();
  if (kind == OutlierKind::kConsecutive5xx) {
    stats_->old_consecutive_5xx.add();
  } else if (kind == OutlierKind::kSuccessRate) {
    stats_->old_success_rate.add();
  }
  const uint64_t most_percent =
      std::min<uint64_t>(100, value("max_ejection_percent", config_.max_ejection_percent));
  const bool may = (ejected_ + 1) * 100 <= most_percent * hosts_.size() ||
                   (ejected_ == 0 && config_.always_eject_one_host);
  if (!may) {
    stats_->overflow.add();
    return;
  }
  if (kind == OutlierKind::kConsecutive5xx || kind == OutlierKind::kSuccessRate) {
    stats_->old_total.add();
  }
  eject(watched, kind, enforces(kind));
}

void OutlierDetector::eject(Watched& watched, OutlierKind kind, bool enforced) {
  watched.last_kind = kind;
  if (!enforced) {
    log(watched, "EJECT", kind, false);
    return;
  }
  stats_->active.set(++ejected_);
  stats_->enforced_total.add();
  stats_->enforced[index(kind)]->add();
  watched.ejections++;
  const base::Duration base = duration("base_ejection_time_ms", config_.base_ejection_time);
  const base::Duration most = duration("max_ejection_time_ms", config_.max_ejection_time);
  if (base * watched.backoff < most + base) {
    watched.backoff++;
  }
  const auto jitter_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(
          duration("max_ejection_time_jitter_ms", config_.max_ejection_time_jitter))
          .count();
  watched.jitter = std::chrono::milliseconds(random_.below(static_cast<uint64_t>(jitter_ms) + 1));
  watched.host->setFlag(kFailedOutlierCheck, true);
  LOG(info, upstream, "host %s of cluster '%s' is ejected: %s", watched.host->address().toString(),
      info_->config.name, kNames[index(kind)]);
  log(watched, "EJECT", kind, true);
  watched.ejected_at = loop_.now();
  changed_(*watched.host);
}

void OutlierDetector::uneject(Watched& watched) {
  stats_->active.set(--ejected_);
  watched.host->setFlag(kFailedOutlierCheck, false);
  watched.host->state().outlier->resetConsecutive();
  log(watched, "UNEJECT", watched.last_kind, false);
  watched.returned_at = loop_.now();
  changed_(*watched.host);
}

void OutlierDetector::onCheckPassed(const Host& host) {
  const auto it = hosts_.find(&host.state());
  if (it != hosts_.end() && it->second->ejected() && config_.passed_check_unejects) {
    uneject(*it->second);
  }
}

void OutlierDetector::armInterval() {
  interval_timer_.arm(duration("interval_ms", config_.interval));
}

void OutlierDetector::onInterval() {
  for (const auto& [state, watched] : hosts_) {
    considerReturn(*watched);
    watched->interval = watched->host->state().outlier->takeRate();
    watched->success_rate.reset();
  }
  judgeRates();
  armInterval();
}

void OutlierDetector::considerReturn(Watched& watched) {
  if (!watched.ejected()) {
    watched.backoff -= watched.backoff > 0;
    return;
  }
  const base::Duration base = duration("base_ejection_time_ms", config_.base_ejection_time);
  const base::Duration most = duration("max_ejection_time_ms", config_.max_ejection_time);
  if (std::min(base * watched.backoff, most) + watched.jitter <=
      loop_.now() - *watched.ejected_at) {
    uneject(watched);
  }
}

void OutlierDetector::judgeRates() {
  const uint64_t volume = value("success_rate_request_volume", config_.success_rate_request_volume);
  const uint64_t percentage_volume =
      value("failure_percentage_request_volume", config_.failure_percentage_request_volume);
  const uint64_t hosts_min =
      value("success_rate_minimum_hosts", config_.success_rate_minimum_hosts);
  const uint64_t percentage_hosts_min =
      value("failure_percentage_minimum_hosts", config_.failure_percentage_minimum_hosts);
  Averages& averages = config_.split_local_origin ? local_origin_averages_ : averages_;
  averages = {};
  if (hosts_.size() < hosts_min && hosts_.size() < percentage_hosts_min) {
    return;
  }
  std::vector<Watched*> for_rate;
  std::vector<Watched*> for_percentage;
  for (const auto& [state, watched] : hosts_) {
    const uint64_t total = watched->interval.total;
    if (watched->ejected() || total == 0) {
      continue;
    }
    if (total >= std::min(volume, percentage_volume)) {
      watched->success_rate = watched->rate();
    }
    if (total >= volume) {
      for_rate.push_back(watched.get());
    }
    if (total >= percentage_volume) {
      for_percentage.push_back(watched.get());
    }
  }
  if (!for_rate.empty() && for_rate.size() >= hosts_min) {
    judgeSuccessRates(for_rate, averages);
  }
  if (!for_percentage.empty() && for_percentage.size() >= percentage_hosts_min) {
    judgeFailurePercentages(for_percentage);
  }
}

// Those go that are some standard deviations below the mean.
void OutlierDetector::judgeSuccessRates(const std::vector<Watched*>& hosts, Averages& averages) {
  const double count = static_cast<double>(hosts.size());
  double sum = 0;
  for (const Watched* const host : hosts) {
    sum += host->rate();
  }
  const double mean = sum / count;
  double squares = 0;
  for (const Watched* const host : hosts) {
    squares += (host->rate() - mean) * (host->rate() - mean);
  }
  const double factor =
      static_cast<double>(value("success_rate_stdev_factor", config_.success_rate_stdev_factor)) /
      1000;
  const double threshold = mean - factor * std::sqrt(squares / count);
  averages = {mean, threshold};
  for (Watched* const host : hosts) {
    if (host->rate() < threshold) {
      detect(*host, config_.split_local_origin ? OutlierKind::kLocalOriginSuccessRate
                                               : OutlierKind::kSuccessRate);
    }
  }
}

void OutlierDetector::judgeFailurePercentages(const std::vector<Watched*>& hosts) {
  const auto threshold = static_cast<double>(
      value("failure_percentage_threshold", config_.failure_percentage_threshold));
  for (Watched* const host : hosts) {
    if (100 - host->rate() >= threshold && !host->ejected()) {
      detect(*host, config_.split_local_origin ? OutlierKind::kLocalOriginFailurePercentage
                                               : OutlierKind::kFailurePercentage);
    }
  }
}

uint64_t OutlierDetector::value(const char* key, uint64_t fallback) const {
  return runtime_(absl::StrCat("outlier_detection.", key), fallback);
}

base::Duration OutlierDetector::duration(const char* key, base::Duration fallback) const {
  const auto fallback_ms = std::chrono::duration_cast<std::chrono::milliseconds>(fallback).count();
  const uint64_t ms = value(key, static_cast<uint64_t>(fallback_ms));
  return std::chrono::milliseconds(std::min<uint64_t>(ms, UINT32_MAX));
}

bool OutlierDetector::enforces(OutlierKind kind) {
  const uint32_t percents[] = {
      config_.enforcing_consecutive_5xx,
      config_.enforcing_consecutive_gateway_failure,
      config_.enforcing_consecutive_local_origin_failure,
      config_.enforcing_success_rate,
      config_.enforcing_local_origin_success_rate,
      config_.enforcing_failure_percentage,
      config_.enforcing_failure_percentage_local_origin,
  };
  const std::string key =
      kind == OutlierKind::kLocalOriginFailurePercentage
          ? "enforcing_failure_percentage_local_origin" // Not as its statistics have it.
          : absl::StrCat("enforcing_", kNames[index(kind)]);
  return random_.below(100) < value(key.c_str(), percents[index(kind)]);
}

OutlierDetector::Rates OutlierDetector::ratesOf(const Host& host) const {
  const auto it = hosts_.find(&host.state());
  if (it == hosts_.end()) {
    return {};
  }
  return config_.split_local_origin ? Rates{std::nullopt, it->second->success_rate}
                                    : Rates{it->second->success_rate, std::nullopt};
}

// A line of JSON, envoy.data.cluster.v3.OutlierDetectionEvent.
void OutlierDetector::log(Watched& watched, const char* action, OutlierKind kind, bool enforced) {
  if (log_ == nullptr) {
    return;
  }
  const bool ejects = action[0] == 'E';
  Json line = {{"type", eventType(kind)}, {"timestamp", timeText(loop_.clock().wallNow())}};
  const std::optional<base::Instant>& last = ejects ? watched.returned_at : watched.ejected_at;
  if (last.has_value()) {
    const auto since = std::chrono::duration_cast<std::chrono::seconds>(loop_.now() - *last);
    line["secs_since_last_action"] = absl::StrCat(since.count());
  }
  line["cluster_name"] = info_->config.name;
  line["upstream_url"] = watched.host->address().toString();
  line["action"] = action;
  line["num_ejections"] = watched.ejections;
  line["enforced"] = enforced;
  const Averages& averages = config_.split_local_origin ? local_origin_averages_ : averages_;
  if (ejects && kind <= OutlierKind::kConsecutiveLocalOriginFailure) {
    line["eject_consecutive_event"] = Json::object();
  } else if (ejects && kind <= OutlierKind::kLocalOriginSuccessRate) {
    line["eject_success_rate_event"] = {
        {"host_success_rate", static_cast<uint32_t>(watched.rate())},
        {"cluster_average_success_rate", static_cast<uint32_t>(averages.success_rate.value_or(0))},
        {"cluster_success_rate_ejection_threshold",
         static_cast<uint32_t>(
             std::max(0.0, averages.success_rate_ejection_threshold.value_or(0)))}};
  } else if (ejects) {
    line["eject_failure_percentage_event"] = {
        {"host_success_rate", static_cast<uint32_t>(watched.rate())}};
  }
  log_->write(lineOf(line));
}

} // namespace culvert::upstream
