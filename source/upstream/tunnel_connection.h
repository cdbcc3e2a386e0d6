// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "source/base/intrusive_list.h"
#include "source/event/loop.h"
#include "source/event/timer_heap.h"
#include "source/hbone/http2_session.h"
#include "source/net/connection.h"
#include "source/upstream/host.h"
#include "source/upstream/tcp_upstream.h"
#include "source/upstream/upstream.h"

namespace culvert::upstream {

class TunnelPool;
class WorkerCluster;

// Whose connections may be shared: a host, and what else keeps tunnels apart, as a text.
using TunnelKey = std::pair<const Host*, std::string>;

// One HTTP/2 connection to one host, and the tunnels that go through it: counted as a connection of
// its cluster until it closes. Tunnels may be asked for as soon as it is made; the requests leave
// when it is connected.
// Threads: its worker's. Lifetime: its pool's, which lets it go when it is closed and its last
// tunnel is; keeps its worker's part of the cluster.
class TunnelConnection final : public event::Deferred,
                               private net::ConnectionHandler,
                               private hbone::Http2Handler,
                               private event::Ready {
public:
  // The circuit breaker for connections has been taken.
  TunnelConnection(TunnelPool& pool, TunnelKey key, WorkerCluster& cluster, HostPtr host,
                   std::unique_ptr<net::Io> io);
  ~TunnelConnection() override;

  // `local_failure`: it is known already that it fails, and that the host has no part in it.
  void start(bool local_failure);

  // Whether one more tunnel may go through it.
  bool hasRoom() const;
  bool connected() const { return state_ == State::kOpen; }
  bool closed() const { return state_ == State::kClosed; }
  const HostPtr& host() const { return host_; }
  const TunnelKey& key() const { return key_; }
  uint64_t id() const { return connection_.id(); }
  event::Loop& loop() { return connection_.loop(); }

  // hasRoom(), and the breaker for waiting or for running requests has been taken. Null: no stream
  // can be had of it any more.
  std::unique_ptr<Upstream> open(const TunnelRequest& request, UpstreamHandler& handler);
  // No new tunnels; it closes when the last one has.
  void drain();
  // Ends all tunnels, and with them itself.
  void close(const net::CloseReason& reason) { connection_.close(net::CloseMode::kNow, reason); }

  // What its tunnels ask and say. One that waits is told of the connection by onReached().
  void addTunnel(TcpUpstream& tunnel);
  void removeTunnel();
  ConnectFailure failure() const { return failure_; }
  const std::string& failureReason() const { return failure_reason_; }
  // Of one that had connected, once it is closed.
  const std::string& lostReason() const { return lost_reason_; }
  // That it took all its tunnels with it: lost, or given up because of what the peer said.
  bool lost() const {
    return end_ == hbone::Http2End::kGone || end_ == hbone::Http2End::kKeepalive;
  }
  bool broken() const {
    return end_ == hbone::Http2End::kProtocol || end_ == hbone::Http2End::kFlood;
  }

private:
  enum class State : uint8_t { kConnecting, kOpen, kClosed };

  void onConnected() override;
  void onData(net::Buffer& data, bool end) override;
  void onWriteBlocked(bool blocked) override;
  void onClosed(const net::CloseReason& reason) override;
  void onRoom() override { noteGoodbye(); }
  void onSessionEnd(hbone::Http2End end) override;
  void onReady() override;

  void onTimer();
  void onMaxDuration();
  void noteGoodbye();
  void countSent();
  void countEnd(bool by_peer);

  TunnelPool& pool_;
  const TunnelKey key_;
  WorkerCluster& cluster_;
  const HostPtr host_;
  net::Connection connection_;
  std::unique_ptr<hbone::Http2Session> session_;
  event::Timer timer_; // connect_timeout, then the idle time.
  std::unique_ptr<event::Timer> duration_timer_;
  base::IntrusiveList<TcpUpstream> waiting_; // Until it is connected.
  const base::Instant start_;
  uint64_t counted_sent_bytes_ = 0;
  uint64_t opened_ = 0; // Tunnels, in all.
  size_t tunnels_ = 0;
  std::string failure_reason_;
  std::string lost_reason_;
  ConnectFailure failure_ = ConnectFailure::kRefused; // Should it fail.
  hbone::Http2End end_ = hbone::Http2End::kDone;
  State state_ = State::kConnecting;
  bool draining_ = false;
  bool goodbye_counted_ = false;
  bool ended_by_peer_ = false;
};

} // namespace culvert::upstream
