// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "source/base/clock.h"

namespace culvert::config::node {

// What `culvert node` is told by its environment: the variables of a mesh's node proxy, by their
// names there (mesh-control-plane 2.2). Those that it cannot honour are refused.
// Threads: any.
struct NodeEnvironment {
  using Lookup = std::function<std::optional<std::string>(const std::string& name)>;
  enum class SourceAddress : uint8_t { kOurs, kKeptIfPossible, kKept };

  std::string workload_namespace; // PROXY_WORKLOAD_INFO
  std::string workload_name;
  std::string service_account;
  std::string node_name;
  std::string network;
  std::string local_file; // LOCAL_XDS_PATH
  std::string crl_file;   // CRL_PATH; "": none.
  base::Duration certificate_validity{0};
  bool ipv6 = true;
  bool socks5 = false; // UNSTABLE_ENABLE_SOCKS5
  bool allow_tls12 = false;
  bool post_quantum_only = false;
  bool log_verdicts = false;
  bool json_log = false;
  bool tell_baggage = true;
  bool proxy_to_loopback = true; // LOCALHOST_APP_TUNNEL
  std::string log_level;         // As --log-level has it.
  SourceAddress source_address = SourceAddress::kKeptIfPossible;
  uint32_t packet_mark = 0;
  bool keepalive = true;
  base::Duration keepalive_time{0};
  base::Duration keepalive_interval{0};
  uint32_t keepalive_retries = 0;
  bool user_timeout = false;
  uint32_t stream_window_bytes = 0;
  uint32_t connection_window_bytes = 0;
  uint32_t frame_bytes_max = 0;
  uint32_t tunnel_streams_max = 0;
  base::Duration tunnel_idle_time{0};
  base::Duration termination_deadline{0};
  uint32_t workers = 0;

  // Errors: "invalid environment variable NAME=VALUE: why".
  static absl::StatusOr<NodeEnvironment> read(const Lookup& lookup, uint32_t cpus);
};

// "10s", "1h30m", "90": terms of digits and a unit, seconds where there is none. Nothing:
// malformed.
std::optional<base::Duration> parseDurationTerms(const std::string& text);

} // namespace culvert::config::node
