// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/access_log/access_log.h"
#include "source/base/clock.h"
#include "source/filter_api/listener_stage.h"
#include "source/filter_api/session.h"
#include "source/filter_api/transport_socket.h"
#include "source/net/address.h"
#include "source/net/connection_info.h"
#include "source/net/socket.h"

namespace google::protobuf {
class Message;
}

namespace culvert::server {

enum class SourceType : uint8_t { kAny, kSameIpOrLoopback, kExternal };

// What a filter chain asks of a connection (envoy-compat A.2). Empty criteria match everything.
struct FilterChainMatch {
  std::optional<uint16_t> destination_port;
  std::vector<net::Cidr> prefix_ranges;
  std::vector<std::string> server_names; // Lower case; "*.lab.test" covers what ends so.
  std::string transport_protocol;
  std::vector<std::string> application_protocols;
  std::vector<net::Cidr> direct_source_prefix_ranges;
  SourceType source_type = SourceType::kAny;
  std::vector<net::Cidr> source_prefix_ranges;
  std::vector<uint16_t> source_ports;
};

// The filters for the connections that match. Immutable once made; shared by all workers.
struct FilterChain : net::FilterChainDescription {
  FilterChainMatch match;
  std::string match_text; // As JSON, for messages.
  FilterConfigs filters;
  std::shared_ptr<const DownstreamTransport> transport; // Null: the socket as it is.
  base::Duration transport_timeout{0};                  // For its handshake; 0: none.
};

using FilterChainPtr = std::shared_ptr<const FilterChain>;

enum class TrafficDirection : uint8_t { kUnspecified, kInbound, kOutbound };

// A listener as configured: plain values, already checked field by field.
struct ListenerConfig : net::ListenerDescription {
  std::string stat_prefix;             // Empty: the address names the statistics.
  std::vector<net::Address> addresses; // The first is the main one.
  net::ListenOptions socket;
  ListenerFilterUses listener_filters;
  std::optional<base::Duration> listener_filters_timeout; // Nothing: they wait for ever.
  bool continue_on_listener_filters_timeout = false;
  bool use_original_dst = false; // Hand over to the listener of the restored address.
  // More than 0: it is internal, and this is what waits in each direction of its connections.
  size_t internal_buffer_bytes = 0;
  bool bind_to_port = true; // Otherwise connections only come from other listeners.
  std::vector<FilterChainPtr> filter_chains;
  FilterChainPtr default_filter_chain; // May be null.
  access_log::Loggers access_logs;
  TrafficDirection traffic_direction = TrafficDirection::kUnspecified;
  bool drains_when_unhealthy = true; // Otherwise only when it is changed, removed or drained.
  uint32_t per_connection_buffer_limit_bytes = 1024 * 1024;
  uint32_t accepts_per_event_max = 64;
  bool exact_balance = false;
  bool ignore_global_connection_limit = false;
  bool bypass_overload_manager = false;
  // What LDS said, to see what an update changes and for /config_dump; null: it is the bootstrap's.
  std::shared_ptr<const google::protobuf::Message> source;
  std::string version;

  bool isInternal() const { return internal_buffer_bytes > 0; }
  // Its connections come from other listeners of this process only. Workers get it before those,
  // whose first connection may want it.
  bool servesOthers() const { return isInternal() || !bind_to_port; }

  // What its statistics begin with.
  std::string statPrefix() const {
    if (!stat_prefix.empty() || addresses.empty()) {
      return absl::StrCat("listener.", stat_prefix);
    }
    return isInternal() ? absl::StrCat("listener.envoy_internal_", name)
                        : absl::StrCat("listener.", addresses.front().toString());
  }
};

} // namespace culvert::server
