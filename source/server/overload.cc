// SPDX-License-Identifier: Apache-2.0
#include "source/server/overload.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/log.h"

namespace culvert::server {
namespace {

double strengthOf(const OverloadConfig::Trigger& trigger, double pressure) {
  if (pressure >= trigger.to) {
    return 1;
  }
  return pressure <= trigger.from ? 0 : (pressure - trigger.from) / (trigger.to - trigger.from);
}

// What Envoy shows of every monitor, though these two cannot fail and are never late.
stats::Gauge& monitorStats(stats::Scope& scope, absl::string_view name) {
  const std::string prefix = absl::StrCat("envoy.resource_monitors.", name, ".");
  scope.counter(prefix + "failed_updates");
  scope.counter(prefix + "skipped_updates");
  stats::Gauge& pressure = scope.gauge(prefix + "pressure");
  pressure.set(0);
  return pressure;
}

} // namespace

Overload::Action::Action(stats::Scope& scope, const std::string& short_name,
                         const OverloadConfig::Triggers& of)
    : triggers(of), name(absl::StrCat("envoy.overload_actions.", short_name)),
      active(scope.gauge(name + ".active")), scale_percent(scope.gauge(name + ".scale_percent")) {
  active.set(0);
  scale_percent.set(0);
}

double Overload::Action::take(double pressure) {
  double strength = 0;
  for (const OverloadConfig::Trigger& trigger : triggers) {
    strength = std::max(strength, strengthOf(trigger, pressure));
  }
  const bool now = strength >= 1;
  if (now != (active.value() == 1)) {
    LOG(warning, main, "overload action %s %s: the heap is at %d%% of its limit", name,
        now ? "begins" : "ends", static_cast<int>(pressure * 100));
  }
  active.set(now);
  scale_percent.set(static_cast<uint64_t>(strength * 100));
  return strength;
}

Overload::Overload(event::Loop& main, stats::Scope& root, const OverloadConfig& config,
                   Actions actions, std::function<uint64_t()> heap_bytes)
    : config_(config), actions_(std::move(actions)), heap_bytes_(std::move(heap_bytes)),
      scope_(root.scope("overload")),
      timer_(main, event::Timer::Callback::to<&Overload::refresh>(this)) {
  if (config.max_connections.has_value()) {
    monitorStats(*scope_, "global_downstream_max_connections");
  }
  if (!config.max_heap_bytes.has_value()) {
    return;
  }
  pressure_percent_ = &monitorStats(*scope_, "fixed_heap");
  if (!config.stop_accepting.empty()) {
    stop_accepting_ =
        std::make_unique<Action>(*scope_, "stop_accepting_connections", config.stop_accepting);
  }
  if (!config.reject_incoming.empty()) {
    reject_incoming_ =
        std::make_unique<Action>(*scope_, "reject_incoming_connections", config.reject_incoming);
  }
  refresh();
}

void Overload::refresh() {
  const double pressure =
      static_cast<double>(heap_bytes_()) / static_cast<double>(*config_.max_heap_bytes);
  pressure_percent_->set(static_cast<uint64_t>(pressure * 100));
  if (stop_accepting_ != nullptr) {
    actions_.stop_accepting(stop_accepting_->take(pressure) >= 1);
  }
  if (reject_incoming_ != nullptr) {
    actions_.reject_incoming(reject_incoming_->take(pressure));
  }
  timer_.arm(config_.refresh_interval);
}

} // namespace culvert::server
