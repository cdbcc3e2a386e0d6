// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "source/base/clock.h"
#include "source/net/address.h"

namespace culvert::upstream {

// A range of status codes, the end excluded.
struct StatusRange {
  uint32_t start;
  uint32_t end;
};

// Names in lower case.
using HealthHeaders = std::vector<std::pair<std::string, std::string>>;

// A request that a healthy host answers with an expected status.
struct HttpCheckConfig {
  bool http2 = false; // Else HTTP/1.1.
  std::string method = "GET";
  std::string path;
  std::string host; // Empty: the host's own name for checks, or the cluster's.
  HealthHeaders headers = {{"user-agent", "Envoy/HC"}};
  std::vector<StatusRange> expected = {{200, 201}};
  std::vector<StatusRange> retriable; // Bad too, but only after unhealthy_threshold of them.
};

// A call of grpc.health.v1.Health.Check.
struct GrpcCheckConfig {
  std::string service;
  std::string authority; // Empty: as HttpCheckConfig::host.
  HealthHeaders headers = {
      {"te", "trailers"}, {"content-type", "application/grpc"}, {"user-agent", "Envoy/HC"}};
};

enum class HealthProtocol : uint8_t { kTcp, kHttp, kGrpc };

// Where and as whom one host is checked, where that is not its own address.
struct HealthCheckTarget {
  net::Address address; // None: the host's own, or with `port`.
  uint16_t port = 0;
  std::string hostname; // For HTTP and gRPC.
  bool disabled = false;

  friend bool operator==(const HealthCheckTarget&, const HealthCheckTarget&) = default;
};

// How the hosts of a cluster are checked, with all defaults applied (envoy-compat A.5).
// Of the last fields those of `protocol` count.
struct HealthCheckConfig {
  base::Duration timeout{};
  base::Duration interval{};
  base::Duration initial_jitter{};
  base::Duration interval_jitter{};
  uint32_t interval_jitter_percent = 0;
  uint32_t unhealthy_threshold = 1;
  uint32_t healthy_threshold = 1;
  // While the cluster had no connection yet.
  base::Duration no_traffic_interval = std::chrono::seconds(60);
  base::Duration no_traffic_healthy_interval = std::chrono::seconds(60);
  base::Duration unhealthy_interval{};      // After a failure.
  base::Duration unhealthy_edge_interval{}; // After a failure that is not yet enough.
  base::Duration healthy_edge_interval{};   // After a success that is not yet enough.
  bool reuse_connection = true;
  uint16_t alt_port = 0; // Instead of the host's own; 0: none.
  bool always_log_failures = false;
  bool always_log_success = false;
  std::vector<std::string> event_logs; // Paths.

  HealthProtocol protocol = HealthProtocol::kTcp;
  HttpCheckConfig http;
  GrpcCheckConfig grpc;
  std::string send;
  std::vector<std::string> receive; // To be found one behind the other; none: connecting is enough.
};

// "TCP", "HTTP" or "GRPC".
const char* protocolName(HealthProtocol protocol);

} // namespace culvert::upstream
