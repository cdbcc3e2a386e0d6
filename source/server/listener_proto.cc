// SPDX-License-Identifier: Apache-2.0
#include "source/server/listener_proto.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "google/protobuf/util/json_util.h"
#include "source/access_log/metadata_proto.h"
#include "source/base/proto.h"
#include "source/base/random.h"
#include "source/config/bootstrap_parts.h"
#include "source/server/extension_proto.h"
#include "source/server/internal_listener_proto.h"
#include "source/server/listener_filters_proto.h"

namespace culvert::server {
namespace {

namespace core = envoy::config::core::v3;
namespace listener = envoy::config::listener::v3;

using config::Problems;

constexpr int kBacklogDefault = 4096; // The kernel's net.core.somaxconn caps it.

std::string at(absl::string_view path, absl::string_view field) {
  return absl::StrCat(path, ".", field);
}

std::string at(absl::string_view path, absl::string_view field, int index) {
  return absl::StrCat(path, ".", field, "[", index, "]");
}

std::vector<net::Cidr> readRanges(const google::protobuf::RepeatedPtrField<core::CidrRange>& ranges,
                                  const std::string& path, Problems& problems) {
  std::vector<net::Cidr> cidrs;
  for (int i = 0; i < ranges.size(); i++) {
    auto cidr = net::Cidr::create(ranges[i].address_prefix(), ranges[i].prefix_len().value());
    if (cidr.ok()) {
      cidrs.push_back(*cidr);
    } else {
      problems.error(absl::StrCat(path, "[", i, "]"), cidr.status().message());
    }
  }
  return cidrs;
}

SourceType readSourceType(listener::FilterChainMatch::ConnectionSourceType type) {
  switch (type) {
  case listener::FilterChainMatch::SAME_IP_OR_LOOPBACK:
    return SourceType::kSameIpOrLoopback;
  case listener::FilterChainMatch::EXTERNAL:
    return SourceType::kExternal;
  default:
    return SourceType::kAny;
  }
}

FilterChainMatch readMatch(const listener::FilterChainMatch& proto, const std::string& path,
                           Problems& problems) {
  FilterChainMatch match;
  if (proto.has_destination_port()) {
    match.destination_port = static_cast<uint16_t>(proto.destination_port().value());
  }
  match.prefix_ranges = readRanges(proto.prefix_ranges(), at(path, "prefix_ranges"), problems);
  for (const std::string& name : proto.server_names()) {
    match.server_names.push_back(absl::AsciiStrToLower(name));
  }
  match.transport_protocol = proto.transport_protocol();
  match.application_protocols = {proto.application_protocols().begin(),
                                 proto.application_protocols().end()};
  match.direct_source_prefix_ranges = readRanges(proto.direct_source_prefix_ranges(),
                                                 at(path, "direct_source_prefix_ranges"), problems);
  match.source_type = readSourceType(proto.source_type());
  match.source_prefix_ranges =
      readRanges(proto.source_prefix_ranges(), at(path, "source_prefix_ranges"), problems);
  match.source_ports = {proto.source_ports().begin(), proto.source_ports().end()};
  return match;
}

// Envoy's rule and words: the terminal filter comes last, and last comes a terminal filter.
void checkPosition(const NetworkFilterFactory& factory, const listener::Filter& proto, bool last,
                   const std::string& path, Problems& problems) {
  if (factory.terminal() && !last) {
    problems.error(path, "filters behind this one would never see anything",
                   absl::StrCat("Error: terminal filter named ", proto.name(), " of type ",
                                factory.name(),
                                " must be the last filter in a network filter chain."));
  } else if (!factory.terminal() && last) {
    problems.error(path, "nothing would take the bytes behind this filter",
                   absl::StrCat("Error: non-terminal filter named ", proto.name(), " of type ",
                                factory.name(), " is the last filter in a network filter chain."));
  }
}

FilterConfigs readFilters(const google::protobuf::RepeatedPtrField<listener::Filter>& filters,
                          const std::string& path, FactoryContext& context, Problems& problems) {
  FilterConfigs configs;
  for (int i = 0; i < filters.size(); i++) {
    const std::string where = at(path, "filters", i);
    const auto* const factory =
        findExtension<NetworkFilterFactory>(filters[i], registry::Category::kNetworkFilter,
                                            "network filter", where, context.registry, problems);
    if (factory == nullptr) {
      continue;
    }
    checkPosition(*factory, filters[i], i + 1 == filters.size(), where, problems);
    if (auto filter = createExtension(*factory, filters[i].typed_config(),
                                      at(where, "typed_config"), problems, context)) {
      configs.push_back(std::move(filter));
    }
  }
  return configs;
}

std::string matchText(const listener::FilterChainMatch& match) {
  std::string text;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  static_cast<void>(google::protobuf::util::MessageToJsonString(match, &text, options));
  return text;
}

// Null where the socket is to be used as it is.
std::shared_ptr<const DownstreamTransport>
readTransport(const core::TransportSocket& proto, const std::string& path, stats::Scope& scope,
              FactoryContext& context, Problems& problems) {
  const auto* const factory = findExtension<DownstreamTransportFactory>(
      proto, registry::Category::kTransportSocketIn, "transport socket", path, context.registry,
      problems);
  return factory == nullptr ? nullptr
                            : createExtension(*factory, proto.typed_config(),
                                              at(path, "typed_config"), problems, context, scope);
}

FilterChainPtr readChain(const listener::FilterChain& proto, const std::string& path,
                         stats::Scope& scope, FactoryContext& context, Problems& problems) {
  auto chain = std::make_shared<FilterChain>();
  chain->name = proto.name();
  chain->match = readMatch(proto.filter_chain_match(), at(path, "filter_chain_match"), problems);
  chain->match_text = matchText(proto.filter_chain_match());
  chain->filters = readFilters(proto.filters(), path, context, problems);
  if (proto.has_transport_socket()) {
    chain->transport = readTransport(proto.transport_socket(), at(path, "transport_socket"), scope,
                                     context, problems);
  }
  chain->transport_timeout = base::toDuration(proto.transport_socket_connect_timeout());
  return chain;
}

net::SocketOption readSocketOption(const core::SocketOption& proto) {
  using When = net::SocketOption::When;
  const When when = proto.state() == core::SocketOption::STATE_PREBIND ? When::kBeforeBind
                    : proto.state() == core::SocketOption::STATE_BOUND ? When::kAfterBind
                                                                       : When::kAfterListen;
  const int level = static_cast<int>(proto.level());
  const int name = static_cast<int>(proto.name());
  return proto.has_buf_value()
             ? net::SocketOption{level, name, proto.buf_value(), when}
             : net::SocketOption::ofInt(level, name, static_cast<int>(proto.int_value()), when);
}

net::TcpKeepalive readKeepalive(const core::TcpKeepalive& proto) {
  net::TcpKeepalive keepalive;
  if (proto.has_keepalive_probes()) {
    keepalive.probes = proto.keepalive_probes().value();
  }
  if (proto.has_keepalive_time()) {
    keepalive.time_s = proto.keepalive_time().value();
  }
  if (proto.has_keepalive_interval()) {
    keepalive.interval_s = proto.keepalive_interval().value();
  }
  return keepalive;
}

net::ListenOptions readSocket(const listener::Listener& proto) {
  net::ListenOptions socket;
  socket.backlog = proto.has_tcp_backlog_size() ? static_cast<int>(proto.tcp_backlog_size().value())
                                                : kBacklogDefault;
  socket.reuse_port = proto.has_enable_reuse_port() ? proto.enable_reuse_port().value() : true;
  socket.pipe_mode = proto.address().pipe().mode();
  const auto add = [&](int level, int name, int value) {
    socket.options.push_back(net::SocketOption::ofInt(level, name, value));
  };
  if (proto.freebind().value()) {
    add(IPPROTO_IP, IP_FREEBIND, 1);
  }
  if (proto.transparent().value()) {
    add(IPPROTO_IP, IP_TRANSPARENT, 1);
  }
  if (proto.has_tcp_fast_open_queue_length()) {
    socket.options.push_back(net::SocketOption::ofInt(
        IPPROTO_TCP, TCP_FASTOPEN, static_cast<int>(proto.tcp_fast_open_queue_length().value()),
        net::SocketOption::When::kAfterListen));
  }
  if (proto.has_tcp_keepalive()) {
    net::addKeepalive(readKeepalive(proto.tcp_keepalive()), socket.options);
  }
  for (const core::SocketOption& option : proto.socket_options()) {
    socket.options.push_back(readSocketOption(option));
  }
  return socket;
}

TrafficDirection readDirection(core::TrafficDirection direction) {
  return direction == core::INBOUND    ? TrafficDirection::kInbound
         : direction == core::OUTBOUND ? TrafficDirection::kOutbound
                                       : TrafficDirection::kUnspecified;
}

void readAddresses(const listener::Listener& proto, absl::string_view path, Problems& problems,
                   ListenerConfig& config) {
  const auto add = [&](const core::Address& address, const std::string& where) {
    if (auto read = readAddress(address, where, problems)) {
      config.addresses.push_back(*std::move(read));
    }
  };
  add(proto.address(), at(path, "address"));
  for (int i = 0; i < proto.additional_addresses_size(); i++) {
    add(proto.additional_addresses(i).address(),
        at(at(path, "additional_addresses", i), "address"));
  }
}

bool readBindToPort(const listener::Listener& proto) {
  if (proto.has_bind_to_port()) {
    return proto.bind_to_port().value();
  }
  return !proto.deprecated_v1().has_bind_to_port() || proto.deprecated_v1().bind_to_port().value();
}

// What Envoy calls a listener that was given no name.
std::string newName() {
  base::Random random;
  const uint64_t high = random.next();
  const uint64_t low = random.next();
  return absl::StrFormat("%08x-%04x-4%03x-%04x-%012x", high >> 32, (high >> 16) & 0xffff,
                         high & 0xfff, 0x8000 | ((low >> 48) & 0x3fff), low & 0xffffffffffff);
}

void readChains(const listener::Listener& proto, absl::string_view path, FactoryContext& context,
                Problems& problems, ListenerConfig& config) {
  const std::unique_ptr<stats::Scope> scope = context.scope.scope(config.statPrefix());
  for (int i = 0; i < proto.filter_chains_size(); i++) {
    config.filter_chains.push_back(
        readChain(proto.filter_chains(i), at(path, "filter_chains", i), *scope, context, problems));
  }
  if (proto.has_default_filter_chain()) {
    config.default_filter_chain = readChain(
        proto.default_filter_chain(), at(path, "default_filter_chain"), *scope, context, problems);
  }
}

void readAccessLogs(const listener::Listener& proto, absl::string_view path,
                    FactoryContext& context, Problems& problems, ListenerConfig& config) {
  auto loggers = access_log::create(proto.access_log(), context.access_log);
  if (loggers.ok()) {
    config.access_logs = *std::move(loggers);
  } else {
    problems.errorFrom(loggers.status(), at(path, "access_log"));
  }
}

} // namespace

std::optional<net::Address> readAddress(const core::Address& proto, absl::string_view path,
                                        Problems& problems) {
  if (proto.has_envoy_internal_address()) {
    problems.error(at(path, "envoy_internal_address"), "nobody outside could connect to it",
                   "use internal_listener field instead of address for internal listeners");
    return std::nullopt;
  }
  const bool pipe = proto.has_pipe();
  const auto address =
      pipe ? net::Address::pipe(proto.pipe().path())
           : net::Address::parseIp(proto.socket_address().address(),
                                   static_cast<uint16_t>(proto.socket_address().port_value()));
  if (pipe && proto.pipe().mode() != 0 && proto.pipe().path().substr(0, 1) == "@") {
    problems.error(at(path, "pipe.mode"), "an abstract socket has no file to give a mode to",
                   "Cannot set mode for Abstract AF_UNIX sockets");
    return std::nullopt;
  }
  if (address.ok() && !pipe && proto.socket_address().ipv4_compat()) {
    const auto with_ipv4 = address->withIpv4();
    if (!with_ipv4.ok()) {
      problems.error(at(path, "socket_address.ipv4_compat"), "there are no IPv4 clients to serve",
                     with_ipv4.status().message());
      return std::nullopt;
    }
    return *with_ipv4;
  }
  if (address.ok()) {
    return *address;
  }
  problems.error(at(path, pipe ? "pipe.path" : "socket_address.address"),
                 pipe ? "no such socket path is possible" : "an address in digits is needed here",
                 address.status().message());
  return std::nullopt;
}

std::optional<ListenerConfig> readListener(const listener::Listener& proto, absl::string_view path,
                                           FactoryContext& context, Problems& problems) {
  const size_t errors_before = problems.errors();
  ListenerConfig config;
  config.name = proto.name().empty() ? newName() : proto.name();
  config.metadata = access_log::toMetadata(proto.metadata());
  config.stat_prefix = proto.stat_prefix();
  config.bind_to_port = readBindToPort(proto);
  if (proto.has_internal_listener()) {
    readInternalListener(proto, path, context.internal_buffer_bytes, problems, config);
  } else {
    readAddresses(proto, path, problems, config);
  }
  config.socket = readSocket(proto);
  readListenerFilters(proto, path, context, problems, config);
  readChains(proto, path, context, problems, config);
  readAccessLogs(proto, path, context, problems, config);
  config.traffic_direction = readDirection(proto.traffic_direction());
  config.drains_when_unhealthy = proto.drain_type() != listener::Listener::MODIFY_ONLY;
  if (proto.has_per_connection_buffer_limit_bytes()) {
    config.per_connection_buffer_limit_bytes = proto.per_connection_buffer_limit_bytes().value();
  }
  if (proto.has_max_connections_to_accept_per_socket_event()) {
    config.accepts_per_event_max = proto.max_connections_to_accept_per_socket_event().value();
  }
  config.exact_balance = proto.connection_balance_config().has_exact_balance();
  config.ignore_global_connection_limit = proto.ignore_global_conn_limit();
  config.bypass_overload_manager = proto.bypass_overload_manager();
  if (problems.errors() > errors_before) {
    return std::nullopt;
  }
  return config;
}

} // namespace culvert::server
