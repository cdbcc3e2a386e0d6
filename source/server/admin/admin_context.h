// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "source/base/clock.h"
#include "source/net/address.h"
#include "source/net/tls_info.h"
#include "source/server/options.h"
#include "source/server/state.h"

namespace culvert::registry {
class Registry;
}
namespace culvert::runtime {
class Loader;
}
namespace culvert::stats {
class Store;
}

namespace culvert::server {

struct NodeView {
  std::string id;
  std::string cluster;
  std::string region;
  std::string zone;
  std::string sub_zone;
};

struct ListenerView {
  std::string name;
  std::vector<net::Address> addresses; // As bound; the first is the main one.
  std::optional<base::Duration> drain_remaining = std::nullopt; // Nothing: it does not drain.
};

struct HostView {
  net::Address address;
  std::string hostname;
  std::string region;
  std::string zone;
  std::string sub_zone;
  uint32_t weight = 1;
  uint32_t priority = 0;
  bool canary = false;
  std::vector<std::string> unhealthy_flags; // "/failed_active_hc" and so on; none: healthy.
  uint64_t cx_active = 0;
  uint64_t cx_connect_fail = 0;
  uint64_t cx_total = 0;
  uint64_t rq_active = 0;
  uint64_t rq_error = 0;
  uint64_t rq_pending_active = 0;
  uint64_t rq_success = 0;
  uint64_t rq_timeout = 0;
  uint64_t rq_total = 0;
  double success_rate = -1; // Percent; -1: not known.
  double local_origin_success_rate = -1;
};

struct ClusterView {
  struct Thresholds {
    uint64_t max_connections = 1024;
    uint64_t max_pending_requests = 1024;
    uint64_t max_requests = 1024;
    uint64_t max_retries = 3;
  };

  struct SuccessRates { // Percent; -1: not known.
    double average = -1;
    double ejection_threshold = -1;
  };

  std::string name;
  std::string observability_name;
  bool added_via_api = false;
  bool outlier_detection = false;
  Thresholds default_priority;
  Thresholds high_priority;
  SuccessRates success_rates; // Of outlier detection.
  SuccessRates local_origin_success_rates;
  std::vector<HostView> hosts;
};

struct CertificateView {
  std::string path; // Of its file; "<inline>" when there is none.
  net::CertificateFacts facts;
};

// Of one TLS context: what it shows, and whom it trusts.
struct CertificatesView {
  std::vector<CertificateView> certificates;
  std::vector<CertificateView> authorities;
};

// What the start, or a part of it, still waits for.
struct UnreadyView {
  std::string name;
  std::vector<std::string> targets;
  bool of_listener = false;
};

struct ConfigDumpQuery {
  std::string resource;
  std::string mask;
  std::string name_regex;
  bool include_eds = false;
};

struct DrainQuery {
  bool graceful = false;
  bool inbound_only = false;
  bool skip_exit = false;
};

// What the admin page shows of the server, and does to it.
// Threads: main.
class AdminServer {
public:
  virtual State state() const = 0;
  virtual base::Duration uptime() const = 0;
  virtual base::Duration uptimeOfAllEpochs() const = 0;
  virtual NodeView node() const = 0;
  virtual std::vector<ListenerView> listeners() const = 0;
  // Until the last listener, or the whole server, has drained; nothing: nothing drains.
  virtual std::optional<base::Duration> drainRemaining() const = 0;
  virtual std::vector<ClusterView> clusters() const = 0;
  // JSON. Errors: NotFound or InvalidArgument, with Envoy's texts.
  virtual absl::StatusOr<std::string> configDump(const ConfigDumpQuery& query) const = 0;

  virtual void setHealthy(bool healthy) = 0;
  virtual void drainListeners(const DrainQuery& query) = 0;
  virtual void reopenLogs() = 0;
  virtual void shutdown() = 0; // In one of the next turns: the answer still leaves.

protected:
  ~AdminServer() = default;
};

// Everything that the endpoints may use.
// Threads: main. Lifetime: outlives the Admin.
struct AdminContext {
  const Options& options;
  const base::Clock& clock;
  const registry::Registry& registry;
  stats::Store& stats;
  runtime::Loader& runtime;
  AdminServer& server;
  std::function<void()> before_stats; // stats_flush_on_admin; may be empty.
  std::function<std::vector<CertificatesView>()> certificates = {}; // May be empty.
  std::function<std::vector<UnreadyView>()> unready = {};           // May be empty.
};

} // namespace culvert::server
