// SPDX-License-Identifier: Apache-2.0
#include "source/server/listener_filters_proto.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "source/base/proto.h"
#include "source/filter_api/listener_filter.h"
#include "source/server/extension_proto.h"

namespace culvert::server {
namespace {

namespace listener = envoy::config::listener::v3;

using config::Problems;

constexpr std::chrono::seconds kListenerFiltersTimeout(15);
constexpr absl::string_view kProxyProtocol =
    "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";

using Disabled = std::function<bool(const net::Address& local)>;
using Predicate = listener::ListenerFilterChainMatchPredicate;

std::vector<Disabled> readPredicates(const google::protobuf::RepeatedPtrField<Predicate>& rules);

// Null for what its constraints refuse.
Disabled readPredicate(const Predicate& proto) {
  switch (proto.rule_case()) {
  case Predicate::kOrMatch:
    return [rules = readPredicates(proto.or_match().rules())](const net::Address& local) {
      return std::any_of(rules.begin(), rules.end(), [&](const auto& rule) { return rule(local); });
    };
  case Predicate::kAndMatch:
    return [rules = readPredicates(proto.and_match().rules())](const net::Address& local) {
      return std::all_of(rules.begin(), rules.end(), [&](const auto& rule) { return rule(local); });
    };
  case Predicate::kNotMatch:
    return [rule = readPredicate(proto.not_match())](const net::Address& local) {
      return !rule(local);
    };
  case Predicate::kAnyMatch:
    return [](const net::Address&) { return true; };
  case Predicate::kDestinationPortRange:
    return [range = proto.destination_port_range()](const net::Address& local) {
      return local.isIp() && local.port() >= range.start() && local.port() < range.end();
    };
  case Predicate::RULE_NOT_SET:
    break;
  }
  return nullptr;
}

std::vector<Disabled> readPredicates(const google::protobuf::RepeatedPtrField<Predicate>& rules) {
  std::vector<Disabled> read;
  for (const Predicate& rule : rules) {
    read.push_back(readPredicate(rule));
  }
  return read;
}

std::shared_ptr<const ListenerFilterConfig>
readListenerFilter(const listener::ListenerFilter& proto, const std::string& path,
                   FactoryContext& context, Problems& problems) {
  const auto* const factory =
      findExtension<ListenerFilterFactory>(proto, registry::Category::kListenerFilter,
                                           "listener filter", path, context.registry, problems);
  return factory == nullptr
             ? nullptr
             : createExtension(*factory, proto.typed_config(), absl::StrCat(path, ".typed_config"),
                               problems, context);
}

// Envoy asks the first chain, or the default one where there is no other.
bool usesProxyProto(const listener::Listener& proto) {
  return (proto.filter_chains().empty() ? proto.default_filter_chain() : proto.filter_chains(0))
      .use_proxy_proto()
      .value();
}

// The old way to ask for a filter: it comes behind those that are named.
void addProxyProtocol(absl::string_view path, FactoryContext& context, Problems& problems,
                      ListenerConfig& config) {
  problems.warning(path, "a filter behind all listener_filters reads the PROXY header",
                   "using deprecated field 'use_proxy_proto' is dangerous as it does not respect "
                   "listener filter order. Do not use this field and instead configure the proxy "
                   "proto listener filter directly.");
  const auto* const factory = context.registry.find<ListenerFilterFactory>(
      registry::Category::kListenerFilter, kProxyProtocol);
  if (factory == nullptr) {
    problems.error(path, "this binary has no listener filter that reads the PROXY header");
    return;
  }
  auto created = factory->create(*factory->newConfig(), context);
  if (created.ok()) {
    config.listener_filters.push_back({*std::move(created), nullptr});
  } else {
    problems.errorFrom(created.status(), std::string(path));
  }
}

} // namespace

void readListenerFilters(const listener::Listener& proto, absl::string_view path,
                         FactoryContext& context, Problems& problems, ListenerConfig& config) {
  for (int i = 0; i < proto.listener_filters_size(); i++) {
    const listener::ListenerFilter& filter = proto.listener_filters(i);
    auto read = readListenerFilter(filter, absl::StrCat(path, ".listener_filters[", i, "]"),
                                   context, problems);
    if (read != nullptr) {
      config.listener_filters.push_back(
          {std::move(read),
           filter.has_filter_disabled() ? readPredicate(filter.filter_disabled()) : nullptr});
    }
  }
  if (usesProxyProto(proto)) {
    addProxyProtocol(path, context, problems, config);
  }
  config.listener_filters_timeout = kListenerFiltersTimeout;
  if (proto.has_listener_filters_timeout()) {
    config.listener_filters_timeout = base::toDuration(proto.listener_filters_timeout());
  }
  if (config.listener_filters_timeout == base::Duration(0)) {
    config.listener_filters_timeout.reset();
  }
  config.continue_on_listener_filters_timeout = proto.continue_on_listener_filters_timeout();
  config.use_original_dst = proto.use_original_dst().value();
}

} // namespace culvert::server
