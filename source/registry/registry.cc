// SPDX-License-Identifier: Apache-2.0
#include "source/registry/registry.h"

#include <utility>

#include "absl/strings/strip.h"
#include "google/protobuf/message.h"
#include "source/base/check.h"

namespace culvert::registry {

absl::string_view name(Category category) {
  switch (category) {
  case Category::kNetworkFilter:
    return "envoy.filters.network";
  case Category::kListenerFilter:
    return "envoy.filters.listener";
  case Category::kTransportSocketIn:
    return "envoy.transport_sockets.downstream";
  case Category::kTransportSocketOut:
    return "envoy.transport_sockets.upstream";
  case Category::kCluster:
    return "envoy.clusters";
  case Category::kLoadBalancer:
    return "envoy.load_balancing_policies";
  case Category::kAccessLogger:
    return "envoy.access_loggers";
  case Category::kBootstrap:
    return "envoy.bootstrap";
  }
  return "";
}

void Registry::add(Category category, std::unique_ptr<Factory> factory) {
  const Factory* const raw = factory.get();
  CULVERT_CHECK(by_type_.emplace(std::pair(category, raw->type()), std::move(factory)).second);
  CULVERT_CHECK(by_name_.emplace(std::pair(category, raw->name()), raw).second);
  for (const std::string& alias : raw->aliases()) {
    CULVERT_CHECK(by_name_.emplace(std::pair(category, alias), raw).second);
  }
}

const Factory* Registry::findFactory(Category category, absl::string_view type) const {
  const auto it =
      by_type_.find({category, std::string(absl::StripPrefix(type, "type.googleapis.com/"))});
  return it == by_type_.end() ? nullptr : it->second.get();
}

const Factory* Registry::findByName(Category category, absl::string_view name) const {
  const auto it = by_name_.find({category, std::string(name)});
  return it == by_name_.end() ? nullptr : it->second;
}

std::vector<const Factory*> Registry::all(Category category) const {
  std::map<std::string, const Factory*> sorted;
  for (const auto& [key, factory] : by_type_) {
    if (key.first == category) {
      sorted.emplace(factory->name(), factory.get());
    }
  }
  std::vector<const Factory*> factories;
  for (const auto& entry : sorted) {
    factories.push_back(entry.second);
  }
  return factories;
}

} // namespace culvert::registry
