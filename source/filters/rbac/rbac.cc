// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/network/rbac/v3/rbac.pb.h"
#include "source/base/log.h"
#include "source/event/timer_heap.h"
#include "source/filter_api/filter.h"
#include "source/filter_api/proto_fields.h"
#include "source/filters/rbac/rules.h"

namespace culvert {
namespace rbac {
namespace {

using Proto = envoy::extensions::filters::network::rbac::v3::RBAC;

// A runtime key: see docs/decisions/0006-rbac-before-dialling.md.
constexpr char kEarlyKey[] = "culvert.rbac_before_dialling";
constexpr char kMetadata[] = "envoy.filters.network.rbac";
constexpr char kCommonMetadata[] = "envoy.common";
constexpr char kCloseReason[] = "rbac_deny_close";

// One of the two sets of rules of an entry, and what counts its verdicts.
struct Ruled {
  std::unique_ptr<const Rules> rules; // Null: there are none, and nothing is asked.
  stats::Counter& allowed;
  stats::Counter& denied;

  std::optional<Verdict> ask(const ConnectionInfo& info) const {
    if (rules == nullptr) {
      return std::nullopt;
    }
    const Verdict verdict = rules->ask(info);
    (verdict.allowed ? allowed : denied).add();
    return verdict;
  }
  bool knownAtAccept() const { return rules == nullptr || rules->knownAtAccept(); }
};

// One entry of a chain. Threads: made on main, then any worker.
struct Config {
  std::unique_ptr<stats::Scope> scope;
  std::unique_ptr<stats::Scope> shadow_scope;
  Ruled enforced;
  Ruled shadow;
  std::string shadow_policy_key; // In the dynamic metadata.
  std::string shadow_result_key;
  base::Duration delay_deny;
  bool continuous;
  runtime::Watched<bool> early;
};

// Closes the connections that the rules deny: asked at the first byte, or at each read, or before
// anything is dialled if that is switched on and the rules allow it.
class Rbac final : public Filter {
public:
  static constexpr const char* kNames[] = {"envoy.filters.network.rbac"};

  Rbac(const Config& config, FilterContext&) : config_(config) {}

  Next onOpen() override {
    if (!config_.early.get() || !config_.enforced.knownAtAccept() ||
        !config_.shadow.knownAtAccept()) {
      return Next::kContinue;
    }
    return decide();
  }

  Next onData(Buffer&, bool) override { return denied_ ? Next::kStop : decide(); }

  void onClose(const CloseReason&) override { delay_timer_.reset(); }

private:
  Next decide() {
    ConnectionInfo& info = connection().info();
    if (const auto verdict = config_.shadow.ask(info)) {
      noteShadow(info, *verdict);
    }
    const auto verdict = config_.enforced.ask(info);
    if (verdict.has_value() && !verdict->allowed) {
      return deny(info, *verdict);
    }
    if (verdict.has_value() && config_.enforced.rules->action() == Action::kLog) {
      net::Value::Fields hint{{"access_log_hint", {verdict->policy != nullptr}}};
      info.mutableDynamicMetadata().merge(kCommonMetadata, std::move(hint));
    }
    if (!config_.continuous) {
      bypass();
    }
    return Next::kContinue;
  }

  void noteShadow(ConnectionInfo& info, const Verdict& verdict) {
    net::Value::Fields fields;
    fields[config_.shadow_result_key] = {std::string(verdict.allowed ? "allowed" : "denied")};
    if (verdict.policy != nullptr) {
      fields[config_.shadow_policy_key] = {*verdict.policy};
    }
    info.mutableDynamicMetadata().merge(kMetadata, std::move(fields));
  }

  Next deny(ConnectionInfo& info, const Verdict& verdict) {
    denied_ = true;
    std::string policy = verdict.policy == nullptr ? "none" : *verdict.policy;
    for (char& c : policy) {
      c = absl::ascii_isspace(static_cast<unsigned char>(c)) ? '_' : c;
    }
    info.termination_details = absl::StrCat("rbac_access_denied_matched_policy[", policy, "]");
    LOG_CONNECTION(debug, rbac, connection().id(), "denied by policy %s", policy);
    if (config_.delay_deny == base::Duration::zero()) {
      end();
      return Next::kStop;
    }
    connection().pauseReading();
    delay_timer_ = std::make_unique<event::Timer>(connection().loop(),
                                                  event::Timer::Callback::to<&Rbac::end>(this));
    delay_timer_->arm(config_.delay_deny);
    return Next::kStop;
  }

  void end() { connection().close(CloseReason::local(kCloseReason), CloseMode::kNow); }

  const Config& config_;
  std::unique_ptr<event::Timer> delay_timer_;
  bool denied_ = false;
};

absl::StatusOr<std::unique_ptr<const Rules>>
makeRules(bool present, const envoy::config::rbac::v3::RBAC& config, absl::string_view path) {
  if (!present) {
    return nullptr;
  }
  auto rules = Rules::create(config);
  if (!rules.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, rules.status().message()));
  }
  return rules;
}

absl::StatusOr<std::shared_ptr<const Config>> makeConfig(const Proto& proto,
                                                         FactoryContext& context) {
  auto rules = makeRules(proto.has_rules(), proto.rules(), "rules");
  if (!rules.ok()) {
    return rules.status();
  }
  auto shadow = makeRules(proto.has_shadow_rules(), proto.shadow_rules(), "shadow_rules");
  if (!shadow.ok()) {
    return shadow.status();
  }
  const std::string& prefix = proto.stat_prefix();
  auto scope =
      context.scope.scope(absl::StrCat(prefix, absl::EndsWith(prefix, ".") ? "" : ".", "rbac"));
  auto shadow_scope = scope->scope(proto.shadow_rules_stat_prefix());
  Ruled enforced{*std::move(rules), scope->counter("allowed"), scope->counter("denied")};
  Ruled shadowed{*std::move(shadow), shadow_scope->counter("shadow_allowed"),
                 shadow_scope->counter("shadow_denied")};
  return std::make_shared<const Config>(
      Config{std::move(scope), std::move(shadow_scope), std::move(enforced), std::move(shadowed),
             absl::StrCat(proto.shadow_rules_stat_prefix(), "shadow_effective_policy_id"),
             absl::StrCat(proto.shadow_rules_stat_prefix(), "shadow_engine_result"),
             toDuration(proto.delay_deny()), proto.enforcement_type() == Proto::CONTINUOUS,
             context.runtime.watch<bool>(kEarlyKey, false)});
}

} // namespace
} // namespace rbac

CULVERT_NETWORK_FILTER(rbac, envoy::extensions::filters::network::rbac::v3::RBAC, rbac::Rbac,
                       rbac::makeConfig)

} // namespace culvert
