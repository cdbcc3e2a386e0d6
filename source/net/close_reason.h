// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace culvert::net {

// Why a session was cut short, as the access log's %RESPONSE_FLAGS% shows it: a set of bits in the
// order in which Envoy prints them (envoy-compat A.8).
enum ResponseFlag : uint32_t {
  kNoHealthyUpstream = 1u << 0,          // UH
  kUpstreamConnectionFailure = 1u << 1,  // UF
  kUpstreamOverflow = 1u << 2,           // UO
  kNoRouteFound = 1u << 3,               // NR
  kUpstreamRetryLimitExceeded = 1u << 4, // URX
  kNoClusterFound = 1u << 5,             // NC
  kDurationTimeout = 1u << 6,            // DT
  kUpstreamRemoteReset = 1u << 7,        // UR
  kDnsResolutionFailed = 1u << 8,        // DF
  kOverloadManager = 1u << 9,            // OM
  // Of requests.
  kUpstreamConnectionTermination = 1u << 10,   // UC
  kUpstreamRequestTimeout = 1u << 11,          // UT
  kDownstreamConnectionTermination = 1u << 12, // DC
  kDownstreamRemoteReset = 1u << 13,           // DR
  kStreamIdleTimeout = 1u << 14,               // SI
  kDownstreamProtocolError = 1u << 15,         // DPE
};

// Who ended it.
enum class Side : uint8_t { kDownstream, kUpstream, kLocal };

// Every way in which a connection ends: code, side at fault, response flags, the local close
// reason that Envoy logs for it ("" for none), and one sentence for people. The access log, the
// counters and docs/close_reasons.md all come from this table.
#define CULVERT_CLOSE_CODES(X)                                                                     \
  X(kPeerClosed, kDownstream, 0, "", "the peer closed the connection")                             \
  X(kPeerReset, kDownstream, 0, "", "the peer reset the connection")                               \
  X(kUpstreamClosed, kUpstream, 0, "", "the upstream host closed the connection")                  \
  X(kUpstreamReset, kUpstream, kUpstreamRemoteReset, "", "the upstream host reset the connection") \
  X(kConnectFailed, kUpstream, kUpstreamRetryLimitExceeded, "tcp_initializion_failure:0",          \
    "no upstream host could be connected")                                                         \
  X(kNoHealthyHost, kUpstream, kNoHealthyUpstream, "tcp_initializion_failure:1",                   \
    "the cluster has no healthy host")                                                             \
  X(kOverflow, kLocal, kUpstreamOverflow, "tcp_initializion_failure:2",                            \
    "a circuit breaker of the cluster is open")                                                    \
  X(kNoCluster, kLocal, kNoClusterFound, "tcp_initializion_failure:3", "the cluster is not known") \
  X(kNoFilterChain, kLocal, kNoRouteFound, "", "no filter chain matches the connection")           \
  X(kListenerFilterTimeout, kLocal, 0, "",                                                         \
    "the peer had not said enough within listener_filters_timeout")                                \
  X(kIdleTimeout, kLocal, 0, "tcp_session_idle_timeout", "no byte moved for idle_timeout")         \
  X(kMaxDuration, kLocal, kDurationTimeout, "max_connection_duration_reached",                     \
    "max_downstream_connection_duration was reached")                                              \
  X(kTransportFailure, kDownstream, 0, "", "the handshake with the peer failed")                   \
  X(kTransportTimeout, kLocal, 0, "transport_socket_timeout",                                      \
    "the handshake took longer than transport_socket_connect_timeout")                             \
  X(kUpstreamGone, kLocal, 0, "", "the upstream connection of the session ended")                  \
  X(kDownstreamGone, kLocal, 0, "", "the downstream connection of the session ended")              \
  X(kHostUnhealthy, kLocal, 0, "", "the upstream host was found unhealthy")                        \
  X(kDrained, kLocal, 0, "", "the listener was drained")                                           \
  X(kDrainAsked, kLocal, 0, "tcp_proxy_drain_close",                                               \
    "the listener drains, and check_drain_close asks")                                             \
  X(kShutdown, kLocal, 0, "", "the proxy is stopping")                                             \
  X(kFilter, kLocal, 0, "", "a filter closed the connection")

enum class CloseCode : uint8_t {
#define CULVERT_CLOSE_CODE(code, side, flags, envoy, sentence) code,
  CULVERT_CLOSE_CODES(CULVERT_CLOSE_CODE)
#undef CULVERT_CLOSE_CODE
};

// What is said of a tunnel that went with the connection that carried it: the detail of its
// CloseReason where it leads to a host, its Io's failureReason() where it comes from a peer.
inline constexpr absl::string_view kTunnelLost = "tunnel lost";

// How a connection ended: whose fault, which way, and a filter's own word for it.
// Lifetime: `detail` is a literal, or lives as long as whoever gave it.
struct CloseReason {
  Side side = Side::kLocal;
  CloseCode code = CloseCode::kFilter;
  absl::string_view detail;

  static CloseReason of(CloseCode code, absl::string_view detail = {});
  // A filter's decision; `detail` is what %CONNECTION_TERMINATION_DETAILS% will say.
  static CloseReason local(absl::string_view detail) { return of(CloseCode::kFilter, detail); }

  uint32_t responseFlags() const;
  absl::string_view localCloseReason() const;
  absl::string_view sentence() const;
  // Whether the peer, not us, ended it.
  bool remote() const { return side != Side::kLocal; }

  friend bool operator==(const CloseReason& a, const CloseReason& b) {
    return a.side == b.side && a.code == b.code && a.detail == b.detail;
  }
};

absl::string_view name(CloseCode code);

} // namespace culvert::net
