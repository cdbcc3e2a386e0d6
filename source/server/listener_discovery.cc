// SPDX-License-Identifier: Apache-2.0
#include "source/server/listener_discovery.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "source/base/log.h"
#include "source/server/listener_proto.h"

namespace culvert::server {

using config::Problems;
using envoy::service::discovery::v3::DiscoveryResponse;
using ListenerProto = envoy::config::listener::v3::Listener;

ListenerDiscovery::ListenerDiscovery(ListenerManager& listeners, FactoryContext& context,
                                     Subscriptions& subscriptions, stats::Scope& root)
    : listeners_(listeners), context_(context), subscriptions_(subscriptions),
      scope_(root.scope("listener_manager.lds")), stats_(*scope_) {}

absl::Status ListenerDiscovery::open(const envoy::config::core::v3::ConfigSource& source) {
  auto made = subscriptions_.subscribe(source, stats_, *this);
  if (made.ok()) {
    subscription_ = *std::move(made);
  }
  return made.status();
}

void ListenerDiscovery::onUpdate(const DiscoveryResponse& response, Problems& problems) {
  const auto resources = config::takeResources<ListenerProto>(
      response, response.resources_size(), subscriptions_.extensions(), problems);
  std::vector<std::optional<ListenerConfig>> read;
  std::set<std::string> names;
  for (size_t i = 0; i < resources.size(); i++) {
    read.push_back(this->read(resources[i], static_cast<int>(i), names, problems));
  }
  if (problems.ok()) { // Before the others come: they may need their addresses.
    removeOthers(names);
    refused_.clear();
  }
  for (const bool serves_others : {true, false}) {
    for (size_t i = 0; i < read.size(); i++) {
      if (read[i].has_value() && read[i]->servesOthers() == serves_others) {
        read[i]->version = response.version_info();
        take(*std::exchange(read[i], std::nullopt), static_cast<int>(i), problems);
      }
    }
  }
  if (problems.ok()) {
    version_ = response.version_info();
  }
}

std::optional<ListenerConfig>
ListenerDiscovery::read(const std::shared_ptr<const ListenerProto>& proto, int i,
                        std::set<std::string>& names, Problems& problems) {
  const std::string path = config::resourcePath(i);
  const size_t before = problems.errors();
  std::optional<ListenerConfig> config;
  if (proto->name().empty()) {
    problems.error(absl::StrCat(path, ".name"), "a listener that may change needs a name");
  } else if (!names.insert(proto->name()).second) {
    problems.error(absl::StrCat(path, ".name"),
                   "a listener of this name came before in this update",
                   absl::StrCat("duplicate listener ", proto->name(), " found"));
  } else {
    config = readListener(*proto, path, context_, problems);
  }
  const absl::Status alone =
      config.has_value() ? ListenerManager::checkAlone(*config) : absl::OkStatus();
  if (!alone.ok()) {
    problems.errorFrom(alone, path);
  }
  if (problems.errors() > before) {
    refuse(proto, problems);
    return std::nullopt;
  }
  config->source = proto;
  return config;
}

void ListenerDiscovery::take(ListenerConfig config, int i, Problems& problems) {
  const std::string name = config.name;
  const auto source = config.source;
  const absl::StatusOr<bool> changed = listeners_.addOrUpdate(std::move(config));
  if (!changed.ok()) {
    problems.errorFrom(changed.status(), config::resourcePath(i));
    refuse(std::static_pointer_cast<const ListenerProto>(source), problems);
    return;
  }
  names_.insert(name);
  refused_.erase(name);
  if (*changed) {
    LOG(info, upstream, "lds: add/update listener '%s'", name);
  }
}

// For /config_dump. What is wrong with it is the last thing that was found wrong.
void ListenerDiscovery::refuse(const std::shared_ptr<const ListenerProto>& proto,
                               const Problems& problems) {
  const std::vector<std::string> errors = problems.errorLines();
  LOG(warning, upstream, "lds: listener '%s' config rejected", proto->name());
  refused_[proto->name()] = {proto, errors.empty() ? "" : errors.back(), subscriptions_.wallNow()};
}

void ListenerDiscovery::removeOthers(const std::set<std::string>& names) {
  std::erase_if(names_, [&](const std::string& name) {
    if (names.contains(name)) {
      return false;
    }
    if (listeners_.remove(name)) {
      LOG(info, upstream, "lds: remove listener '%s'", name);
    }
    return true;
  });
}

} // namespace culvert::server
