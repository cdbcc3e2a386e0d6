// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "source/base/random.h"
#include "source/event/loop.h"
#include "source/upstream/cluster_stats.h"
#include "source/upstream/config.h"

namespace culvert::net {
class DnsResolver;
}

namespace culvert::upstream {

// A host to be: an endpoint of the configuration, at the address that it has now.
struct HostSpec {
  const LocalityConfig* locality;
  const EndpointConfig* endpoint;
  net::Address address;
  bool logical = false; // At another address it is still the same host.
};

// What a cluster gives to its source of hosts, and takes from it. Threads: main.
class HostSourceContext {
public:
  virtual event::Loop& loop() = 0;
  virtual const ClusterConfig& config() = 0;
  virtual ClusterStats& stats() = 0;
  virtual net::DnsResolver& resolver() = 0;
  virtual base::Random& random() = 0;
  // Replaces all hosts; those that stay keep their counts. False: that changed nothing.
  virtual bool setHosts(const std::vector<HostSpec>& hosts) = 0;
  // The first attempt to find hosts is over, well or badly. May be said again.
  virtual void setInitialized() = 0;

protected:
  ~HostSourceContext() = default;
};

// Finds the hosts of one cluster, for as long as it lives: by what is configured, by DNS, ...
// Threads: main. Lifetime: owned by its cluster.
class HostSource {
public:
  virtual ~HostSource() = default;
  virtual void start() = 0;
};

} // namespace culvert::upstream
