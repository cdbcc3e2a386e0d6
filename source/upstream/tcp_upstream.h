// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "source/base/intrusive_list.h"
#include "source/event/timer_heap.h"
#include "source/hbone/http2_stream_io.h"
#include "source/net/connection.h"
#include "source/upstream/cluster_info.h"
#include "source/upstream/host.h"
#include "source/upstream/upstream.h"

namespace culvert::upstream {

class Http1TunnelIo;
class PooledIo;
class TunnelConnection;
class WorkerCluster;

// An attempt to reach a host and then the connection to it, with all that is counted about it:
// what Envoy counts for a TCP session, which to it is a request that waits for a connection of a
// pool (envoy-compat D.3, D.5). Counted from the moment it is made until it closes. The connection
// is its own, or one stream of a TunnelConnection, which then is counted by itself.
// Threads: its worker's. Lifetime: as Upstream; keeps its worker's part of the cluster, and its
// TunnelConnection.
class TcpUpstream final : public Upstream,
                          private net::ConnectionHandler,
                          public base::ListNode<TcpUpstream> {
public:
  // The breakers for connections and pending requests are taken. `io` may be an Http1TunnelIo.
  TcpUpstream(WorkerCluster& cluster, HostPtr host, std::unique_ptr<net::Io> io,
              UpstreamHandler& handler);
  // A stream of `carrier`: the breaker for requests is taken, or that for pending ones while the
  // carrier is not connected.
  TcpUpstream(WorkerCluster& cluster, HostPtr host, std::unique_ptr<hbone::Http2StreamIo> stream,
              UpstreamHandler& handler, TunnelConnection& carrier);
  // One that is not counted yet and waits for what its HostPool has for it.
  TcpUpstream(WorkerCluster& cluster, HostPtr host, std::unique_ptr<PooledIo> io,
              UpstreamHandler& handler);
  ~TcpUpstream() override;

  // `local_failure`: it is known already that it fails, and that the host has no part in it.
  void start(bool local_failure);
  // What waiting came to: an open transport, whose connection has been counted since `started`, or
  // nothing. `waited`: that is counted, too.
  void attach(std::unique_ptr<net::Io> io, base::Instant started, bool waited);
  void failWaiting(ConnectFailure failure, const std::string& reason);
  // The transport is there, and the host is asked for the tunnel.
  void onReached();

  net::Connection& connection() override { return connection_; }
  bool waiting() const override { return state_ == State::kWaiting; }
  const std::shared_ptr<const net::HostDescription>& host() const override {
    return host_->description();
  }
  std::string failureReason() override;
  std::string tunnelFailure() override;
  std::unique_ptr<HttpFields> tunnelAnswer() override;
  void countAnswer(bool success) override;
  void pauseReading() override;
  void resumeReading() override;
  bool flushAndForget(std::unique_ptr<Upstream> self, base::Duration idle,
                      std::shared_ptr<void> until_done) override;
  // Ends it if it is a connection to `host`, which was found unhealthy.
  void closeIfTo(const Host& host);
  // Ends and destroys one that flushes.
  void destroyFlushing();

private:
  enum class State : uint8_t { kWaiting, kConnecting, kAsking, kOpen, kFlushing, kClosed };
  struct Flush;

  void onConnected() override;
  void onData(net::Buffer& data, bool end) override;
  void onWriteBlocked(bool blocked) override;
  void onClosed(const net::CloseReason& reason) override;
  net::Connection* directSink() override;
  void onSpliced(size_t bytes) override;

  void onTimer();
  void onFlushIdle();
  void countSent();
  // What it runs over, where that is a tunnel of HTTP/2 or HTTP/1.1.
  const hbone::Http2StreamIo* stream();
  const Http1TunnelIo* http1();
  PooledIo* pooled(); // Null where the connection is of no pool.
  bool tunnelRefused();
  net::CloseReason seenBySession(const net::CloseReason& reason);
  void countClosed(const net::CloseReason& reason);
  void countTunnelEnd(const net::CloseReason& reason);
  void onConnectFailed(const net::CloseReason& reason);

  WorkerCluster& cluster_;
  const HostPtr host_;
  TunnelConnection* const carrier_; // Null when the connection is its own.
  UpstreamHandler* handler_;        // Null when nobody listens any more.
  event::Timer timer_;              // connect_timeout, then the flush's idle time.
  net::Connection connection_;
  base::Instant start_;
  uint64_t counted_sent_bytes_ = 0;
  uint32_t counted_pauses_ = 0;
  State state_ = State::kConnecting;
  ConnectFailure failure_ = ConnectFailure::kRefused; // Should it fail.
  bool ended_by_peer_ = false;                        // The peer's end of stream came after ours.
  std::unique_ptr<Flush> flush_;
};

} // namespace culvert::upstream
