// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "source/base/clock.h"
#include "source/registry/registry.h"
#include "source/stats/store.h"

namespace culvert::access_log {
struct Context;
}

namespace culvert::config::tls {
class Secrets;
}

namespace culvert::tls {
class Contexts;
}

namespace culvert::upstream {
class ThreadClusters;
}

namespace culvert::mesh {
class Node;
}

namespace culvert::runtime {
class Loader;
}

namespace culvert {

class Filter;
class FilterContext;
class SharedObjects;

// What a factory may use while a configuration is loaded. Threads: main. Lifetime: the call's; what
// its members refer to lives as long as the server.
struct FactoryContext {
  const registry::Registry& registry;
  stats::Scope& scope; // The root: filters name their statistics from the top, as Envoy's do.
  access_log::Context& access_log;
  const base::Clock& clock;
  runtime::Loader& runtime;
  SharedObjects& shared;
  // Of the server; null where no transport socket is made.
  tls::Contexts* tls = nullptr;
  config::tls::Secrets* secrets = nullptr;
  // What waits in each direction of a connection to an internal listener at most; 0: there may be
  // none.
  size_t internal_buffer_bytes = 0;
  mesh::Node* mesh = nullptr; // Null: this process is no node of a mesh.
};

// One filter of one chain as configured: makes that filter for each connection.
// Threads: built on main, then read-only on all workers. Lifetime: outlives its filters.
class NetworkFilterConfig {
public:
  struct Sees {
    bool reads;
    bool writes;
  };

  virtual ~NetworkFilterConfig() = default;

  std::unique_ptr<Filter> newFilter(upstream::ThreadClusters& clusters) const;
  Sees sees() const { return sees_; }
  const std::string& id() const { return id_; }

  // Makes one filter on main and throws it away: the statistics that it names exist from then on.
  void nameStatistics();

protected:
  NetworkFilterConfig(std::string id, Sees sees, stats::Scope& scope);
  virtual std::unique_ptr<Filter> make(FilterContext& context) const = 0;

private:
  class NamingContext;
  class WorkerContext;
  template <class Stat> using Named = absl::flat_hash_map<std::string, Stat*>;

  const std::string id_;
  const Sees sees_;
  const std::unique_ptr<stats::Scope> scope_;
  Named<stats::Counter> counters_;
  Named<stats::Gauge> gauges_;
  Named<stats::Histogram> histograms_;
};

// Makes NetworkFilterConfigs of one kind. Threads: main.
class NetworkFilterFactory : public registry::Factory {
public:
  virtual bool terminal() const = 0;
  // `config` is a newConfig() that was filled and checked against its proto's constraints.
  // Errors: begin with the path of the field inside `config`.
  virtual absl::StatusOr<std::shared_ptr<const NetworkFilterConfig>>
  create(const google::protobuf::Message& config, FactoryContext& context) const = 0;
};

} // namespace culvert
