// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/access_log/access_log.h"
#include "source/base/clock.h"
#include "source/base/random.h"
#include "source/filter_api/factory.h"
#include "source/filters/tcp_proxy/tunneling.h"
#include "source/stats/store.h"
#include "source/upstream/metadata_match.h"

namespace envoy::extensions::filters::network::tcp_proxy::v3 {
class TcpProxy;
}

namespace culvert::tcp_proxy {

// The statistics `tcp.<stat_prefix>.*` (envoy-compat D.2). Filters of one prefix share them.
struct Stats {
  explicit Stats(stats::Scope& scope);

  stats::Counter& downstream_cx_total;
  stats::Counter& downstream_cx_drain_close;
  stats::Counter& downstream_cx_no_route;
  stats::Counter& downstream_cx_rx_bytes_total;
  stats::Counter& downstream_cx_tx_bytes_total;
  stats::Counter& downstream_flow_control_paused_reading_total;
  stats::Counter& downstream_flow_control_resumed_reading_total;
  stats::Counter& early_data_received_count_total;
  stats::Counter& idle_timeout;
  stats::Counter& max_downstream_connection_duration;
  stats::Counter& upstream_flush_total;
  stats::Counter& upstream_flush_overflow;
  stats::Gauge& upstream_flush_active;
  stats::Gauge& downstream_cx_rx_bytes_buffered;
  stats::Gauge& downstream_cx_tx_bytes_buffered;
};

// When the upstream connection is begun.
enum class ConnectWhen { kAtOnce, kAfterHandshake, kAtFirstByte };

// What connections have in common that shall reach the same host of a hashing cluster.
struct HashPolicy {
  enum class Kind : uint8_t { kNone, kSourceIp, kFilterState };

  Kind kind = Kind::kNone;
  std::string key; // Of filter state.
};

// Where a session goes.
struct Target {
  std::string cluster;
  std::shared_ptr<const upstream::MetadataMatch> match; // Null: any of its hosts.
};

// A tcp_proxy entry of a chain. Threads: built on main, then read-only on all workers.
class Config : public std::enable_shared_from_this<Config> {
public:
  static absl::StatusOr<std::shared_ptr<const Config>>
  create(const envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy& proto,
         FactoryContext& context);

  // For a new session: the only one, or one drawn by weight.
  const Target& pickTarget(base::Random& random) const;
  // What sessions want whose cluster is named by another filter. May be null.
  const std::shared_ptr<const upstream::MetadataMatch>& match() const { return match_; }
  // How long a session may live; nothing for ever. Jitter makes each one's different.
  std::optional<base::Duration> maxDuration(base::Random& random) const;
  // The pause before attempt number `attempt` (from 2).
  base::Duration backoff(uint32_t attempt, base::Random& random) const;

  Stats& stats() const { return *stats_; }
  // Counts an upstream connection that is flushed without its session, until it is let go.
  std::shared_ptr<void> countFlush() const;

  std::optional<base::Duration> idle_timeout;
  uint32_t max_connect_attempts = 1;
  ConnectWhen connect_when = ConnectWhen::kAtOnce;
  // How many bytes to read before the upstream connection is there; nothing: none are read.
  std::optional<uint32_t> max_early_data_bytes;
  HashPolicy hash_policy;
  std::unique_ptr<const Tunneling> tunneling; // Null: hosts are sent the bytes as they are.
  bool check_drain_close = false;             // Ends connections of a listener that drains.
  access_log::Loggers access_logs;
  std::optional<base::Duration> log_flush_interval;
  bool log_at_start = false;
  bool log_when_connected = false;

private:
  struct WeightedTarget {
    Target target;
    uint64_t up_to; // The sum of the weights so far, this one's included.
  };

  absl::Status
  readLogOptions(const envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy& proto,
                 FactoryContext& context);

  void readTargets(const envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy& proto);

  std::vector<WeightedTarget> targets_;
  std::shared_ptr<const upstream::MetadataMatch> match_;
  std::optional<base::Duration> max_duration_;
  double duration_jitter_ = 0;
  base::Duration backoff_base_{0};
  base::Duration backoff_max_{0};
  std::unique_ptr<stats::Scope> scope_;
  std::unique_ptr<Stats> stats_;
};

} // namespace culvert::tcp_proxy
