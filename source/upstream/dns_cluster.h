// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "source/net/dns_resolver.h"
#include "source/upstream/host_source.h"

namespace culvert::upstream {

// How a cluster asks DNS (envoy-compat A.5).
struct DnsConfig {
  net::DnsFamily family = net::DnsFamily::kAuto;
  base::Duration refresh_rate = std::chrono::seconds(5);
  // After failures: doubled each time from the base to the maximum; none: as refresh_rate.
  struct Backoff {
    base::Duration base;
    base::Duration max;
  };
  std::optional<Backoff> failure_refresh;
  bool respect_ttl = false; // Ask again when the shortest time to live is over,
  base::Duration min_refresh_rate = base::Duration::zero(); // but not sooner than this.
  base::Duration jitter = base::Duration::zero();           // At most so much later.
};

// STRICT_DNS: every address of every endpoint's name is a host. A name that has no address has no
// hosts; while DNS does not answer, hosts stay.
std::unique_ptr<HostSource> makeStrictDns(HostSourceContext& context, const DnsConfig& config);

// LOGICAL_DNS: one host, wherever the first address of the name is now. It stays while there is no
// address to be had.
std::unique_ptr<HostSource> makeLogicalDns(HostSourceContext& context, const DnsConfig& config);

} // namespace culvert::upstream
