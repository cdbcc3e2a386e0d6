// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "source/net/connection.h"
#include "source/net/connection_info.h"

namespace culvert::upstream {

class MetadataMatch;

// Why an attempt to reach a host came to nothing.
enum class ConnectFailure : uint8_t {
  kNoHealthyHost, // The cluster has none.
  kOverflow,      // A circuit breaker is open.
  kRefused,       // The host, or the handshake with it, failed.
  kTimeout,       // connect_timeout went by.
  kLocal,         // Not the host's fault: max_pending_requests, or the source cannot be bound.
};

// Names in lower case.
using HttpFields = std::vector<std::pair<std::string, std::string>>;

// %UPSTREAM_LOCAL_CLOSE_REASON% of one that flushAndForget() could not let go on.
constexpr absl::string_view kFlushOverflow = "flush_overflow";

// What a host is asked for before bytes flow: a tunnel to somewhere behind it.
struct TunnelRequest {
  std::string authority; // Where to.
  std::string post_path; // Asked by POST to this path; empty: by CONNECT.
  HttpFields headers;
};

// What a terminal filter hears of its upstream connection. All calls come from the worker's loop.
class UpstreamHandler {
public:
  virtual void onUpstreamConnected() = 0;
  // The attempt is over; the Upstream may be dropped. Not called for what connect() returned.
  virtual void onUpstreamFailed(ConnectFailure failure) = 0;
  // From here on as net::ConnectionHandler has them, once connected; the host's own end comes as
  // kUpstreamClosed or kUpstreamReset.
  virtual void onUpstreamData(net::Buffer& data, bool end) = 0;
  virtual void onUpstreamWriteBlocked(bool blocked) = 0;
  virtual void onUpstreamClosed(const net::CloseReason& reason) = 0;
  virtual net::Connection* upstreamDirectSink() { return nullptr; }
  virtual void onUpstreamSpliced(size_t bytes) { static_cast<void>(bytes); }

protected:
  ~UpstreamHandler() = default;
};

// One attempt to reach one host and, when it succeeds, the connection: counted in the cluster's,
// the host's and the circuit breakers' figures until it is destroyed.
// Threads: the worker's that made it. Lifetime: owned by the caller; destroy through
// Loop::deferDelete when one of its callbacks may be on the stack. Destroying it closes it.
class Upstream : public event::Deferred {
public:
  virtual net::Connection& connection() = 0;
  // No connection has been found for it yet, and perhaps none is even tried: its host may have as
  // many as it takes.
  virtual bool waiting() const { return false; }
  virtual const std::shared_ptr<const net::HostDescription>& host() const = 0;
  // Why the attempt failed, for people and the log.
  virtual std::string failureReason() = 0;
  // The same of a tunnel whose connection was there, of which Envoy's log says nothing; "": no.
  virtual std::string tunnelFailure() = 0;
  // The headers that the host answered a TunnelRequest with, `:status` first. Null: none came. Gone
  // after onUpstreamConnected().
  virtual std::unique_ptr<HttpFields> tunnelAnswer() = 0;
  // Counts what a request of HTTP came to that the attempt was for, in the host's figures.
  virtual void countAnswer(bool success) = 0;
  // Stops and restarts reading from the host, counted as the cluster's flow control.
  virtual void pauseReading() = 0;
  virtual void resumeReading() = 0;
  // Lets it go on by itself until everything written has left (or `idle` went by without progress),
  // for a session whose downstream is already gone. `until_done` is let go when it is over.
  // False: too many of this worker do so already, and it is reset.
  virtual bool flushAndForget(std::unique_ptr<Upstream> self, base::Duration idle,
                              std::shared_ptr<void> until_done) = 0;
};

// An attempt under way, or why there is none.
using Attempt = std::variant<std::unique_ptr<Upstream>, ConnectFailure>;

// What a load balancer, and the transport to a host, may ask about who wants it. Lifetime: until
// the attempt to connect is over, or dropped.
class LoadBalancerContext {
public:
  virtual ~LoadBalancerContext() = default;
  virtual std::optional<uint64_t> hashKey() const { return std::nullopt; }
  virtual const net::ConnectionInfo* downstream() const { return nullptr; }
  // The subset of hosts that is wanted; null: any.
  virtual const MetadataMatch* metadataMatch() const { return nullptr; }
};

using ContextPtr = std::shared_ptr<const LoadBalancerContext>;
// One that is not kept.
inline ContextPtr borrow(const LoadBalancerContext& context) {
  return ContextPtr(ContextPtr(), &context);
}

// One worker's view of one cluster: its hosts as last published, and a balancer of its own.
// Threads: the worker's. Lifetime: as long as the cluster exists; ask again for each connection.
class ThreadCluster {
public:
  virtual ~ThreadCluster() = default;
  virtual absl::string_view name() const = 0;
  virtual const std::shared_ptr<const net::ClusterDescription>& description() const = 0;
  // Picks a host and begins to connect. `handler` must outlive the Upstream.
  virtual Attempt connect(UpstreamHandler& handler, const LoadBalancerContext& context) = 0;
  // The same, through a tunnel that the host is asked for. Over HTTP/2, where the cluster is
  // configured for it, the streams of one worker to one host share connections.
  virtual Attempt connectTunnel(UpstreamHandler& handler, const LoadBalancerContext& context,
                                const TunnelRequest& request) = 0;
  // A session gave up on this cluster: counts upstream_cx_connect_attempts_exceeded.
  virtual void countAttemptsExceeded() = 0;
};

// One worker's view of all clusters. Threads: the worker's.
class ThreadClusters {
public:
  virtual ~ThreadClusters() = default;
  // Null when there is no such cluster.
  virtual ThreadCluster* find(absl::string_view name) = 0;
};

} // namespace culvert::upstream
