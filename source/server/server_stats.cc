// SPDX-License-Identifier: Apache-2.0
#include "source/server/server_stats.h"

#include "absl/strings/str_cat.h"
#include "source/server/memory.h"

namespace culvert::server {
namespace {

constexpr uint64_t kNoCertificate = UINT32_MAX;

void nameWatchdogs(stats::Scope& root, uint32_t concurrency) {
  std::vector<std::string> prefixes = {"main_thread", "workers", "server.main_thread"};
  for (uint32_t i = 0; i < concurrency; i++)
    prefixes.push_back(absl::StrCat("server.worker_", i));
  for (const std::string& prefix : prefixes) {
    root.counter(prefix + ".watchdog_miss");
    root.counter(prefix + ".watchdog_mega_miss");
  }
}

// Three bytes, as Envoy has three bytes of its revision here.
uint64_t versionNumber() {
  return kVersionParts[0] << 16 | kVersionParts[1] << 8 | kVersionParts[2];
}

} // namespace

ServerStats::ServerStats(stats::Scope& root, const Options& options)
    : ServerStats(root.scope("server")) {
  scope_->gauge("concurrency").set(options.concurrency);
  scope_->gauge("hot_restart_epoch").set(options.restart_epoch);
  setGeneration(1);
  scope_->gauge("version").set(versionNumber());
  scope_->gauge("days_until_first_cert_expiring").set(kNoCertificate);
  for (const char* name : {"compilation_settings.fips_mode",
                           "seconds_until_first_ocsp_response_expiring", "stats_recent_lookups"}) {
    scope_->gauge(name).set(0);
  }
  for (const char* name : {"debug_assertion_failures", "dropped_stat_flushes", "envoy_bug_failures",
                           "envoy_notifications", "wip_protos"}) {
    scope_->counter(name);
  }
  nameWatchdogs(root, options.concurrency);
  update(State::kPreInitializing, {}, 0, 0);
}

ServerStats::ServerStats(std::unique_ptr<stats::Scope> scope)
    : static_unknown_fields(scope->counter("static_unknown_fields")),
      dynamic_unknown_fields(scope->counter("dynamic_unknown_fields")), scope_(std::move(scope)),
      live_(scope_->gauge("live")), state_(scope_->gauge("state")),
      uptime_(scope_->gauge("uptime")), total_connections_(scope_->gauge("total_connections")),
      parent_connections_(scope_->gauge("parent_connections")),
      hot_restart_generation_(scope_->gauge("hot_restart_generation")),
      memory_allocated_(scope_->gauge("memory_allocated")),
      memory_heap_size_(scope_->gauge("memory_heap_size")),
      memory_physical_size_(scope_->gauge("memory_physical_size")),
      initialization_time_ms_(
          scope_->histogram("initialization_time_ms", stats::Unit::kMilliseconds)) {}

void ServerStats::setInitializationTime(base::Duration duration) {
  initialization_time_ms_.record(base::toMilliseconds(duration));
}

void ServerStats::update(State state, base::Duration uptime, uint64_t connections,
                         uint64_t parent_connections) {
  const MemoryUse memory = memoryUse();
  live_.set(state == State::kLive ? 1 : 0);
  state_.set(static_cast<uint64_t>(state));
  uptime_.set(std::chrono::duration_cast<std::chrono::seconds>(uptime).count());
  total_connections_.set(connections + parent_connections);
  parent_connections_.set(parent_connections);
  memory_allocated_.set(memory.allocated);
  memory_heap_size_.set(memory.heap_size);
  memory_physical_size_.set(memory.total_physical_bytes);
}

} // namespace culvert::server
