// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace google::protobuf {
class Message;
}

namespace culvert::registry {

// What kinds of things a configuration can name by type; the text is Envoy's category.
enum class Category {
  kNetworkFilter,      // envoy.filters.network
  kListenerFilter,     // envoy.filters.listener
  kTransportSocketIn,  // envoy.transport_sockets.downstream
  kTransportSocketOut, // envoy.transport_sockets.upstream
  kCluster,            // envoy.clusters
  kLoadBalancer,       // envoy.load_balancing_policies
  kAccessLogger,       // envoy.access_loggers
  kBootstrap,          // envoy.bootstrap
};

absl::string_view name(Category category);

// Makes one kind of extension from its configuration. Each category derives an interface of its
// own from it, with the create() that fits. Stateless. Threads: main.
class Factory {
public:
  virtual ~Factory() = default;

  // The full name of the configuration's message: what xDS selects by.
  virtual std::string type() const = 0;
  // "envoy.filters.network.echo": what people write beside it; also found where only a name is
  // given. Others, older ones, follow in aliases().
  virtual std::string name() const = 0;
  virtual std::vector<std::string> aliases() const { return {}; }
  virtual std::unique_ptr<google::protobuf::Message> newConfig() const = 0;
};

// Every extension that this process can use. main fills one by calling the register functions that
// the build lists; tests fill their own. No static initializers.
// Threads: main; read-only once filled. Lifetime: outlives the server.
class Registry {
public:
  // Two factories of one category with one type or name are a fault of the program.
  void add(Category category, std::unique_ptr<Factory> factory);

  // By message type, with or without "type.googleapis.com/". Null when there is none.
  template <class F> const F* find(Category category, absl::string_view type) const {
    return static_cast<const F*>(findFactory(category, type));
  }
  const Factory* findFactory(Category category, absl::string_view type) const;
  const Factory* findByName(Category category, absl::string_view name) const;

  // Sorted by name.
  std::vector<const Factory*> all(Category category) const;

private:
  std::map<std::pair<Category, std::string>, std::unique_ptr<Factory>> by_type_;
  std::map<std::pair<Category, std::string>, const Factory*> by_name_;
};

} // namespace culvert::registry
