// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/health_checker.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "source/base/clock.h"
#include "source/base/log.h"
#include "source/upstream/health_session.h"

namespace culvert::upstream {
namespace {

std::string secondsText(base::Duration duration) {
  return absl::StrCat(std::chrono::duration<double>(duration).count(), " s");
}

} // namespace

const char* protocolName(HealthProtocol protocol) {
  switch (protocol) {
  case HealthProtocol::kTcp:
    return "TCP";
  case HealthProtocol::kHttp:
    return "HTTP";
  case HealthProtocol::kGrpc:
    return "GRPC";
  }
  return "";
}

HealthStats::HealthStats(stats::Scope& scope)
    : attempt(scope.counter("health_check.attempt")),
      success(scope.counter("health_check.success")),
      failure(scope.counter("health_check.failure")),
      network_failure(scope.counter("health_check.network_failure")),
      healthy(scope.gauge("health_check.healthy")), degraded(scope.gauge("health_check.degraded")) {
  scope.counter("health_check.passive_failure"); // Of HTTP requests.
  scope.counter("health_check.verify_cluster");
}

HealthChecker::HealthChecker(event::Loop& main, ClusterInfoPtr info, uint64_t seed,
                             const Runtime& runtime, HealthEventLog events, Checked checked)
    : loop_(main), info_(std::move(info)), random_(seed), runtime_(runtime), stats_(*info_->scope),
      events_(std::move(events)), checked_(std::move(checked)) {
  // Sixty seconds without traffic surprise everybody: what is in force is said aloud.
  LOG(info, hc,
      "cluster '%s': %s health checks every %s, after a failure every %s, and every %s while the "
      "cluster has had no connection",
      info_->config.name, protocolName(config().protocol), secondsText(config().interval),
      secondsText(config().unhealthy_interval), secondsText(config().no_traffic_interval));
}

HealthChecker::~HealthChecker() {
  for (const auto& [host, session] : sessions_) {
    session->stop();
  }
}

void HealthChecker::setHosts(const std::vector<HostPtr>& hosts) {
  absl::flat_hash_set<const Host*> wanted;
  std::vector<HealthSession*> added;
  for (const HostPtr& host : hosts) {
    if (!host->isChecked()) {
      continue;
    }
    wanted.insert(host.get());
    std::unique_ptr<HealthSession>& session = sessions_[host.get()];
    if (session == nullptr) {
      session = std::make_unique<HealthSession>(*this, host);
      added.push_back(session.get());
    }
  }
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    if (wanted.contains(it->first)) {
      ++it;
      continue;
    }
    it->second->stop();
    loop_.deferDelete(std::move(it->second));
    sessions_.erase(it++);
  }
  countHealthy();
  for (HealthSession* const session : added) {
    session->start();
  }
}

// Never in the middle of a change of hosts: a check ends in a later turn than it begins.
void HealthChecker::onChecked(HealthSession& session, bool changed) {
  countHealthy();
  const HostPtr host = session.host();
  checked_(*host, changed);
}

void HealthChecker::countHealthy() {
  uint64_t healthy = 0;
  uint64_t degraded = 0;
  for (const auto& [host, session] : sessions_) {
    healthy += session->healthy();
    degraded += (host->healthFlags() & kDegradedActiveHc) != 0;
  }
  stats_.healthy.set(healthy);
  stats_.degraded.set(degraded);
}

base::Duration HealthChecker::nextDelay(bool passed, bool pending) {
  const HealthCheckConfig& c = config();
  base::Duration delay;
  if (info_->stats.upstream_cx_total.value() == 0) {
    delay = passed ? c.no_traffic_healthy_interval : c.no_traffic_interval;
  } else if (passed) {
    delay = pending ? c.healthy_edge_interval : c.interval;
  } else {
    delay = pending ? c.unhealthy_edge_interval : c.unhealthy_interval;
  }
  return jittered(delay, c.interval_jitter, c.interval_jitter_percent);
}

base::Duration HealthChecker::initialDelay() {
  return jittered(base::Duration::zero(), config().initial_jitter, 0);
}

base::Duration HealthChecker::jittered(base::Duration delay, base::Duration jitter,
                                       uint32_t percent) {
  uint64_t delay_ms = base::toMilliseconds(delay);
  if (const uint64_t most_ms = delay_ms * percent / 100; most_ms > 0) {
    delay_ms += random_.below(most_ms);
  }
  if (const uint64_t most_ms = base::toMilliseconds(jitter); most_ms > 0) {
    delay_ms += random_.below(most_ms);
  }
  const uint64_t max_ms = std::min<uint64_t>(runtime_("health_check.max_interval", UINT32_MAX),
                                             UINT32_MAX); // Seven weeks.
  const uint64_t min_ms = std::min(runtime_("health_check.min_interval", 1), max_ms);
  return std::chrono::milliseconds(
      std::clamp<uint64_t>(delay_ms, std::max<uint64_t>(min_ms, 1), std::max<uint64_t>(max_ms, 1)));
}

} // namespace culvert::upstream
