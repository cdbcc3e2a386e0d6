// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "source/base/random.h"
#include "source/event/loop.h"
#include "source/upstream/cluster_stats.h"
#include "source/upstream/config.h"
#include "source/upstream/endpoint_discovery.h"
#include "source/upstream/host.h"

namespace culvert::net {
class DnsResolver;
}

namespace culvert::upstream {

class HostChooser;

// A host to be: an endpoint of the configuration, at the address that it has now.
struct HostSpec {
  const LocalityConfig* locality;
  const EndpointConfig* endpoint;
  net::Address address;
  bool logical = false;                  // At another address it is still the same host.
  std::vector<net::Address> addresses{}; // All of several, in the order in which they are tried.
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
  // The same for the endpoints of an assignment, which also brings how load is spread.
  virtual bool setAssignment(const Assignment& assignment) = 0;
  // Follows what `source` says of the endpoints of `name`.
  virtual absl::StatusOr<std::unique_ptr<EndpointSubscription>>
  discover(const envoy::config::core::v3::ConfigSource& source, const std::string& name,
           EndpointSubscriber& subscriber) = 0;
  // Hosts that workers make: what has to be done to one before anybody sees it (on any thread),
  // one that is the cluster's from now on, and those that are no longer.
  virtual std::function<void(HostState&)> hostPreparer() = 0;
  virtual void adoptHost(HostPtr host) = 0;
  virtual void removeHosts(const std::function<bool(const Host&)>& which) = 0;
  // The first attempt to find hosts is over, well or badly. May be said again.
  virtual void setInitialized() = 0;
  // The first attempt brought nothing, but a later one may: as setInitialized(), unless the cluster
  // is to take the place of one that serves.
  virtual void setNothingYet() = 0;

protected:
  ~HostSourceContext() = default;
};

// Finds the hosts of one cluster, for as long as it lives: by what is configured, by DNS, ...
// Threads: main. Lifetime: owned by its cluster. Says nothing to its context before start().
class HostSource {
public:
  virtual ~HostSource() = default;
  virtual void start() = 0;
  // A choice for one worker that takes the place of the policy's: always, or never (null). Before
  // start(), too.
  virtual std::unique_ptr<HostChooser> makeChooser();
};

} // namespace culvert::upstream
