// SPDX-License-Identifier: Apache-2.0
#include "source/server/listener.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace culvert::server {
namespace {

constexpr base::Duration kTellOfSilenceEvery = std::chrono::minutes(10);

} // namespace

ListenerStats::ListenerStats(stats::Scope& scope, uint32_t worker_count)
    : downstream_cx_total(scope.counter("downstream_cx_total")),
      downstream_cx_destroy(scope.counter("downstream_cx_destroy")),
      downstream_cx_overflow(scope.counter("downstream_cx_overflow")),
      downstream_cx_overload_reject(scope.counter("downstream_cx_overload_reject")),
      downstream_global_cx_overflow(scope.counter("downstream_global_cx_overflow")),
      downstream_cx_transport_socket_connect_timeout(
          scope.counter("downstream_cx_transport_socket_connect_timeout")),
      downstream_pre_cx_timeout(scope.counter("downstream_pre_cx_timeout")),
      downstream_listener_filter_error(scope.counter("downstream_listener_filter_error")),
      downstream_listener_filter_remote_close(
          scope.counter("downstream_listener_filter_remote_close")),
      no_filter_chain_match(scope.counter("no_filter_chain_match")),
      network_extension_config_missing(scope.counter("network_extension_config_missing")),
      downstream_cx_active(scope.gauge("downstream_cx_active")),
      downstream_pre_cx_active(scope.gauge("downstream_pre_cx_active")),
      downstream_cx_length_ms(
          scope.histogram("downstream_cx_length_ms", stats::Unit::kMilliseconds)),
      connections_accepted_per_socket_event(
          scope.histogram("connections_accepted_per_socket_event", stats::Unit::kUnspecified)) {
  for (uint32_t i = 0; i < worker_count; i++) {
    const std::string prefix = absl::StrCat("worker_", i, ".");
    workers.push_back({scope.counter(prefix + "downstream_cx_total"),
                       scope.gauge(prefix + "downstream_cx_active")});
  }
}

absl::StatusOr<std::shared_ptr<Listener>>
Listener::create(ListenerConfig config, stats::Scope& root, uint32_t workers, event::Loop& main,
                 runtime::Watched<uint64_t> limit, std::shared_ptr<Load> load) {
  auto matcher = FilterChainMatcher::create(config.filter_chains, config.default_filter_chain);
  if (!matcher.ok()) {
    return matcher.status();
  }
  const std::string prefix = config.statPrefix();
  auto* const listener = new Listener(
      std::move(config), *std::move(matcher), root.scope(prefix), workers, std::move(limit),
      load != nullptr ? std::move(load) : std::make_shared<Load>(workers));
  // A worker's session may be the last to hold it, but statistics are main's to release.
  return std::shared_ptr<Listener>(listener,
                                   [&main](Listener* last) { main.post([last] { delete last; }); });
}

Listener::Listener(ListenerConfig config, std::unique_ptr<const FilterChainMatcher> matcher,
                   std::unique_ptr<stats::Scope> scope, uint32_t workers,
                   runtime::Watched<uint64_t> connection_limit, std::shared_ptr<Load> load)
    : config_(std::move(config)), matcher_(std::move(matcher)), scope_(std::move(scope)),
      stats_(*scope_, workers), connection_limit_(std::move(connection_limit)),
      load_(std::move(load)) {}

bool Listener::tryAdd(uint32_t worker) {
  if (load_->connections.fetch_add(1, std::memory_order_relaxed) >= connection_limit_.get()) {
    load_->connections.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  if (!config_.exact_balance) {
    load_->of_worker[worker].fetch_add(1, std::memory_order_relaxed);
  }
  return true;
}

void Listener::add(uint32_t worker) {
  load_->connections.fetch_add(1, std::memory_order_relaxed);
  load_->of_worker[worker].fetch_add(1, std::memory_order_relaxed);
}

bool Listener::mayTellOfSilence(base::Instant now) {
  const int64_t now_ns = now.time_since_epoch().count();
  int64_t told_ns = silence_told_ns_.load(std::memory_order_relaxed);
  const bool due = told_ns == 0 || now_ns - told_ns >= kTellOfSilenceEvery.count();
  return due && silence_told_ns_.compare_exchange_strong(told_ns, now_ns);
}

void Listener::remove(uint32_t worker) {
  load_->connections.fetch_sub(1, std::memory_order_relaxed);
  load_->of_worker[worker].fetch_sub(1, std::memory_order_relaxed);
}

uint32_t Listener::addToLeastLoaded() {
  auto& all = load_->of_worker;
  const auto least = std::min_element(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.load(std::memory_order_relaxed) < b.load(std::memory_order_relaxed);
  });
  least->fetch_add(1, std::memory_order_relaxed);
  return static_cast<uint32_t>(least - all.begin());
}

} // namespace culvert::server
