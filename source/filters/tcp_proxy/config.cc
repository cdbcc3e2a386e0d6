// SPDX-License-Identifier: Apache-2.0
#include "source/filters/tcp_proxy/config.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "source/access_log/metadata_proto.h"
#include "source/base/field_error.h"
#include "source/filter_api/proto_fields.h"

namespace culvert::tcp_proxy {
namespace {

using Proto = envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;

constexpr std::chrono::hours kDefaultIdleTimeout(1);

absl::Status checkConnectMode(const Proto& proto) {
  using namespace envoy::extensions::filters::network::tcp_proxy::v3;
  if (proto.upstream_connect_mode() != IMMEDIATE && !proto.has_max_early_data_bytes()) {
    return absl::InvalidArgumentError(
        "max_early_data_bytes: max_early_data_bytes must be set when upstream_connect_mode is not "
        "IMMEDIATE");
  }
  return absl::OkStatus();
}

// The first one counts.
HashPolicy readHashPolicy(const Proto& proto) {
  if (proto.hash_policy().empty()) {
    return {};
  }
  const auto& policy = proto.hash_policy(0);
  return policy.has_source_ip()
             ? HashPolicy{HashPolicy::Kind::kSourceIp, ""}
             : HashPolicy{HashPolicy::Kind::kFilterState, policy.filter_state().key()};
}

ConnectWhen
connectWhen(envoy::extensions::filters::network::tcp_proxy::v3::UpstreamConnectMode mode) {
  switch (mode) {
  case envoy::extensions::filters::network::tcp_proxy::v3::ON_DOWNSTREAM_DATA:
    return ConnectWhen::kAtFirstByte;
  case envoy::extensions::filters::network::tcp_proxy::v3::ON_DOWNSTREAM_TLS_HANDSHAKE:
    return ConnectWhen::kAfterHandshake;
  default:
    return ConnectWhen::kAtOnce;
  }
}

// Which subset a message wants, if any.
std::optional<net::Value::Fields> subsetFields(const envoy::config::core::v3::Metadata& proto) {
  const auto all = access_log::toMetadata(proto);
  const auto* const fields = all == nullptr ? nullptr : all->find(upstream::kSubsetMetadata);
  return fields == nullptr ? std::nullopt : std::optional(*fields);
}

} // namespace

Stats::Stats(stats::Scope& scope)
    : downstream_cx_total(scope.counter("downstream_cx_total")),
      downstream_cx_drain_close(scope.counter("downstream_cx_drain_close")),
      downstream_cx_no_route(scope.counter("downstream_cx_no_route")),
      downstream_cx_rx_bytes_total(scope.counter("downstream_cx_rx_bytes_total")),
      downstream_cx_tx_bytes_total(scope.counter("downstream_cx_tx_bytes_total")),
      downstream_flow_control_paused_reading_total(
          scope.counter("downstream_flow_control_paused_reading_total")),
      downstream_flow_control_resumed_reading_total(
          scope.counter("downstream_flow_control_resumed_reading_total")),
      early_data_received_count_total(scope.counter("early_data_received_count_total")),
      idle_timeout(scope.counter("idle_timeout")),
      max_downstream_connection_duration(scope.counter("max_downstream_connection_duration")),
      upstream_flush_total(scope.counter("upstream_flush_total")),
      upstream_flush_overflow(scope.counter("upstream_flush_overflow")),
      upstream_flush_active(scope.gauge("upstream_flush_active")),
      downstream_cx_rx_bytes_buffered(scope.gauge("downstream_cx_rx_bytes_buffered")),
      downstream_cx_tx_bytes_buffered(scope.gauge("downstream_cx_tx_bytes_buffered")) {}

absl::StatusOr<std::shared_ptr<const Config>> Config::create(const Proto& proto,
                                                             FactoryContext& context) {
  if (absl::Status status = checkConnectMode(proto); !status.ok()) {
    return status;
  }
  auto config = std::make_shared<Config>();
  config->scope_ = context.scope.scope(absl::StrCat("tcp.", proto.stat_prefix()));
  config->stats_ = std::make_unique<Stats>(*config->scope_);

  config->readTargets(proto);
  config->idle_timeout = proto.has_idle_timeout() ? toDuration(proto.idle_timeout())
                                                  : base::Duration(kDefaultIdleTimeout);
  if (config->idle_timeout == base::Duration(0)) {
    config->idle_timeout.reset();
  }
  config->check_drain_close = proto.check_drain_close().value();
  if (proto.has_max_connect_attempts()) {
    config->max_connect_attempts = proto.max_connect_attempts().value();
  }
  if (proto.has_backoff_options()) {
    const auto& backoff = proto.backoff_options();
    config->backoff_base_ = toDuration(backoff.base_interval());
    config->backoff_max_ = backoff.has_max_interval() ? toDuration(backoff.max_interval())
                                                      : 10 * config->backoff_base_;
  }
  if (proto.has_max_downstream_connection_duration()) {
    config->max_duration_ = toDuration(proto.max_downstream_connection_duration());
    config->duration_jitter_ =
        proto.max_downstream_connection_duration_jitter_percentage().value() / 100;
  }
  config->hash_policy = readHashPolicy(proto);
  if (proto.has_max_early_data_bytes()) {
    config->max_early_data_bytes = proto.max_early_data_bytes().value();
  }
  config->connect_when = connectWhen(proto.upstream_connect_mode());
  if (proto.has_tunneling_config()) {
    auto tunneling = Tunneling::create(proto.tunneling_config());
    if (!tunneling.ok()) {
      return base::errorWithin("tunneling_config", tunneling.status());
    }
    config->tunneling = *std::move(tunneling);
  }
  if (absl::Status status = config->readLogOptions(proto, context); !status.ok()) {
    return status;
  }
  return config;
}

absl::Status Config::readLogOptions(const Proto& proto, FactoryContext& context) {
  absl::StatusOr<access_log::Loggers> loggers =
      access_log::create(proto.access_log(), context.access_log);
  if (!loggers.ok()) {
    return absl::Status(loggers.status().code(),
                        absl::StrCat("access_log", loggers.status().message()));
  }
  access_logs = *std::move(loggers);
  // The two fields outside access_log_options are its deprecated spellings.
  const auto& options = proto.access_log_options();
  if (options.has_access_log_flush_interval()) {
    log_flush_interval = toDuration(options.access_log_flush_interval());
  } else if (proto.has_access_log_flush_interval()) {
    log_flush_interval = toDuration(proto.access_log_flush_interval());
  }
  log_when_connected =
      options.flush_access_log_on_connected() || proto.flush_access_log_on_connected();
  log_at_start = options.flush_access_log_on_start();
  return absl::OkStatus();
}

void Config::readTargets(const Proto& proto) {
  if (const auto fields = subsetFields(proto.metadata_match())) {
    match_ = std::make_shared<const upstream::MetadataMatch>(*fields);
  }
  if (!proto.has_weighted_clusters()) {
    targets_.push_back({{proto.cluster(), match_}, 1});
    return;
  }
  uint64_t sum = 0;
  for (const auto& cluster : proto.weighted_clusters().clusters()) {
    Target target{cluster.name(), match_};
    if (const auto fields = subsetFields(cluster.metadata_match())) { // Its values win.
      target.match = std::make_shared<const upstream::MetadataMatch>(
          match_ == nullptr ? upstream::MetadataMatch(*fields) : match_->with(*fields));
    }
    targets_.push_back({std::move(target), sum += cluster.weight()});
  }
}

const Target& Config::pickTarget(base::Random& random) const {
  if (targets_.size() == 1) {
    return targets_.front().target;
  }
  const uint64_t drawn = random.below(targets_.back().up_to);
  return std::find_if(targets_.begin(), targets_.end(),
                      [&](const WeightedTarget& target) { return drawn < target.up_to; })
      ->target;
}

std::shared_ptr<void> Config::countFlush() const {
  stats_->upstream_flush_total.add();
  stats_->upstream_flush_active.add();
  return {stats_.get(),
          [config = shared_from_this()](Stats* stats) { stats->upstream_flush_active.sub(); }};
}

std::optional<base::Duration> Config::maxDuration(base::Random& random) const {
  if (!max_duration_.has_value() || duration_jitter_ == 0) {
    return max_duration_;
  }
  const double extra = duration_jitter_ * random.fraction();
  return *max_duration_ +
         base::Duration(static_cast<int64_t>(static_cast<double>(max_duration_->count()) * extra));
}

base::Duration Config::backoff(uint32_t attempt, base::Random& random) const {
  if (backoff_base_ == base::Duration(0)) {
    return base::Duration(0);
  }
  const uint32_t doublings = std::min(attempt - 2, 30u);
  const int64_t limit = std::min<int64_t>(backoff_base_.count() << doublings, backoff_max_.count());
  return base::Duration(static_cast<int64_t>(random.below(static_cast<uint64_t>(limit) + 1)));
}

} // namespace culvert::tcp_proxy
