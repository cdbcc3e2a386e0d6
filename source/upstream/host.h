// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/base/clock.h"
#include "source/net/connection_info.h"
#include "source/upstream/config.h"

namespace culvert::upstream {

// Why a host may be unfit, in the order in which /clusters prints the reasons (envoy-compat B.5).
enum HealthFlag : uint32_t {
  kFailedActiveHc = 1u << 0,
  kFailedOutlierCheck = 1u << 1,
  kFailedEdsHealth = 1u << 2,
  kDegradedActiveHc = 1u << 3,
  kDegradedEdsHealth = 1u << 4,
  kDegradedOutlierDetection = 1u << 5,
  kPendingDynamicRemoval = 1u << 6,
  kPendingActiveHc = 1u << 7,
  kExcludedViaImmediateHcFail = 1u << 8,
  kActiveHcTimeout = 1u << 9,
  kEdsStatusDraining = 1u << 10,
};

enum class HostHealth : uint8_t { kHealthy, kDegraded, kUnhealthy };

// What changes about a host, and what is counted about it, as /clusters shows it. Plain relaxed
// atomics: every worker writes them. Outlives a change of the host's address.
struct alignas(64) HostState {
  std::atomic<uint32_t> health_flags{0};
  std::atomic<uint32_t> weight{1};
  std::atomic<EndpointHealth> eds_health{EndpointHealth::kUnknown};
  std::atomic<base::Instant> healthy_since{base::Instant()}; // The epoch: not known.
  std::atomic<uint64_t> cx_total{0};
  std::atomic<uint64_t> cx_connect_fail{0};
  std::atomic<uint64_t> rq_total{0};
  std::atomic<uint64_t> rq_success{0};
  std::atomic<uint64_t> rq_error{0};
  std::atomic<uint64_t> rq_timeout{0};
  std::atomic<uint32_t> cx_active{0};
  std::atomic<uint32_t> rq_active{0};
  std::atomic<uint32_t> rq_pending_active{0};
  std::unique_ptr<OutlierCounts> outlier; // Set before any worker sees the host, if at all.
};

// One endpoint of a cluster. Shared by all threads and by its connections.
// Threads: any; setters are main's.
class Host {
public:
  Host(const EndpointConfig& endpoint, const LocalityConfig& locality, net::Address address,
       const std::string& cluster);
  // The same host at another address: its counts live on.
  Host(const Host& previous, net::Address address);

  const std::shared_ptr<const net::HostDescription>& description() const { return description_; }
  const net::Address& address() const { return description_->address; }
  // All that it can be reached at, in the order in which they are tried; empty: the one.
  const std::vector<net::Address>& addresses() const { return addresses_; }
  // Before anybody else sees it.
  void setAddresses(std::vector<net::Address> addresses) { addresses_ = std::move(addresses); }
  const Locality& locality() const { return *locality_; }
  uint32_t priority() const { return priority_; }
  bool canary() const { return canary_; }
  // Null: it is checked as itself.
  const HealthCheckTarget* healthTarget() const { return health_target_.get(); }
  bool isChecked() const { return health_target_ == nullptr || !health_target_->disabled; }
  // What hash balancing hashes for this host.
  std::string hashKey(bool by_hostname) const;
  const google::protobuf::Message* metadata() const { return metadata_.get(); }
  HostState& state() const { return *state_; }

  uint32_t weight() const { return state_->weight.load(std::memory_order_relaxed); }
  uint32_t healthFlags() const { return state_->health_flags.load(std::memory_order_relaxed); }
  HostHealth health() const;
  // When its checks began to pass, or it was first seen without any.
  base::Instant healthySince() const {
    return state_->healthy_since.load(std::memory_order_relaxed);
  }
  // Neither present nor missing when load is spread.
  bool excluded() const;
  // It is no member of its cluster any more: connections to it are not shared with new sessions.
  bool retired() const { return retired_.load(std::memory_order_relaxed); }
  void retire() { retired_.store(true, std::memory_order_relaxed); }
  // "healthy", or the flags that are set, each behind a slash.
  std::string healthFlagsText() const;

  // Whether the description, but for weight and health, is what these make.
  bool sameAs(const EndpointConfig& endpoint, const LocalityConfig& locality,
              const net::Address& address) const;
  // Takes over weight and configured health; true if that changed anything.
  bool update(const EndpointConfig& endpoint);
  void setFlag(HealthFlag flag, bool on);
  void setHealthySince(base::Instant since) {
    state_->healthy_since.store(since, std::memory_order_relaxed);
  }

private:
  std::shared_ptr<const net::HostDescription> description_;
  std::shared_ptr<const Locality> locality_;
  std::shared_ptr<const google::protobuf::Message> metadata_;
  std::shared_ptr<const HealthCheckTarget> health_target_;
  std::shared_ptr<HostState> state_;
  std::string hash_key_;
  std::vector<net::Address> addresses_;
  uint32_t priority_;
  bool canary_;
  std::atomic<bool> retired_{false};
};

using HostPtr = std::shared_ptr<Host>;

struct HostList;
using HostListPtr = std::shared_ptr<const HostList>;

// The hosts of one locality in a list.
struct LocalityHosts {
  HostListPtr hosts;
  uint32_t weight; // As configured; 0: it gets nothing.
  double share;    // The weight, less what it loses for hosts that are not fit.
};

// Hosts that one picker chooses among. Immutable but for `turn`, the rotation that all workers'
// round robins share, so that a cluster is used evenly however connections fall on workers.
struct HostList {
  std::vector<HostPtr> hosts;
  std::vector<LocalityHosts> localities; // Empty unless they share by weight.
  alignas(64) mutable std::atomic<uint64_t> turn{0};
};

// The hosts of one priority as they were at one moment. Lists that are equal are one.
struct HostSet {
  HostListPtr all;
  HostListPtr healthy;
  HostListPtr degraded;
  uint32_t excluded = 0; // Neither counted as present nor as missing when load is spread.

  // All hosts but the excluded ones.
  size_t counted() const { return all->hosts.size() - excluded; }
};

// By priority; there is always a first.
using HostSets = std::vector<HostSet>;

// Weights of localities by priority, where the configuration gives any.
using LocalityWeights = std::map<std::pair<uint32_t, Locality>, uint32_t>;

struct HostSetOptions {
  uint64_t turn = 0; // Where rotations begin.
  // Null: localities do not matter.
  const LocalityWeights* locality_weights = nullptr;
  uint32_t overprovisioning_percent = 140; // What a locality may miss before it loses load.
};

// Sorts hosts by priority and health, and by locality where those have weights.
HostSets makeHostSets(const std::vector<HostPtr>& hosts, const HostSetOptions& options);

} // namespace culvert::upstream
