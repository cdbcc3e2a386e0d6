// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/tunnel_connection.h"

#include <utility>

#include "source/base/log.h"
#include "source/upstream/connection_counts.h"
#include "source/upstream/tunnel_pool.h"
#include "source/upstream/worker_clusters.h"

namespace culvert::upstream {
namespace {

using hbone::Http2End;
using net::CloseCode;
using net::CloseMode;
using net::CloseReason;

hbone::Http2Fields fieldsOf(const TunnelRequest& request, bool over_tls) {
  hbone::Http2Fields fields = {{":method", request.post_path.empty() ? "CONNECT" : "POST"},
                               {":authority", request.authority}};
  if (!request.post_path.empty()) {
    fields.emplace_back(":path", request.post_path);
    fields.emplace_back(":scheme", over_tls ? "https" : "http");
  }
  fields.insert(fields.end(), request.headers.begin(), request.headers.end());
  return fields;
}

} // namespace

TunnelConnection::TunnelConnection(TunnelPool& pool, TunnelKey key, WorkerCluster& cluster,
                                   HostPtr host, std::unique_ptr<net::Io> io)
    : pool_(pool), key_(std::move(key)), cluster_(cluster), host_(std::move(host)),
      connection_(cluster.owner().loop(), std::move(io), net::nextConnectionId(), true),
      timer_(connection_.loop(), event::Timer::Callback::to<&TunnelConnection::onTimer>(this)),
      start_(connection_.loop().now()) {
  cluster_.addUser();
  ClusterInfo& info = cluster_.info();
  hbone::Http2Handler& handler = *this;
  session_ = std::make_unique<hbone::Http2Session>(hbone::Http2Role::kClient,
                                                   info.config.http.http2_options, connection_,
                                                   info.http2_stats->stats, handler);
  countConnection(info, host_->state());
  info.stats.upstream_cx_http2_total.add();
}

TunnelConnection::~TunnelConnection() {
  if (state_ != State::kClosed) {
    countEnd(false);
  }
  session_.reset(); // It counts for the cluster, whose last user this may be.
  cluster_.removeUser();
}

void TunnelConnection::start(bool local_failure) {
  const ClusterConfig& config = cluster_.info().config;
  LOG_CONNECTION(debug, connection, id(), "connecting to %s", host_->address().toString());
  failure_ = local_failure ? ConnectFailure::kLocal : failure_;
  if (config.per_connection_buffer_limit_bytes > 0) {
    connection_.setReadLimit(config.per_connection_buffer_limit_bytes);
  }
  connection_.start(*this);
  timer_.arm(config.connect_timeout);
}

bool TunnelConnection::hasRoom() const {
  return !draining_ && state_ != State::kClosed && end_ == Http2End::kDone &&
         session_->room() > 0 &&
         session_->streams() < cluster_.info().config.http.http2_options.max_concurrent_streams;
}

std::unique_ptr<Upstream> TunnelConnection::open(const TunnelRequest& request,
                                                 UpstreamHandler& handler) {
  const uint32_t requests_max = cluster_.info().config.http.max_requests_per_connection;
  const bool over_tls = cluster_.info().transport->secure();
  std::unique_ptr<hbone::Http2StreamIo> stream = session_->openStream(fieldsOf(request, over_tls));
  if (stream == nullptr) {
    drain();
    return nullptr;
  }
  auto tunnel = std::make_unique<TcpUpstream>(cluster_, host_, std::move(stream), handler, *this);
  tunnel->start(false);
  if (++opened_ == requests_max) {
    cluster_.info().stats.upstream_cx_max_requests.add();
    draining_ = true;
  }
  return tunnel;
}

void TunnelConnection::addTunnel(TcpUpstream& tunnel) {
  tunnels_++;
  if (state_ == State::kConnecting) {
    waiting_.pushBack(tunnel);
  } else {
    timer_.disarm();
  }
}

// What the last one said is still to be sent, in the turn that comes.
void TunnelConnection::removeTunnel() {
  tunnels_--;
  connection_.loop().runNext(*this);
}

void TunnelConnection::drain() {
  draining_ = true;
  connection_.loop().runNext(*this);
}

// Closes it where nobody needs it any more, or waits for somebody.
void TunnelConnection::onReady() {
  if (tunnels_ > 0) {
    return;
  }
  if (state_ == State::kClosed) {
    pool_.remove(*this);
  } else if (draining_ || session_->goodbye()) {
    const CloseMode mode = state_ == State::kOpen ? CloseMode::kFlush : CloseMode::kNow;
    connection_.close(mode, CloseReason::of(CloseCode::kDownstreamGone));
  } else if (state_ == State::kOpen && !timer_.armed() &&
             cluster_.info().config.http.idle_timeout > base::Duration::zero()) {
    timer_.arm(cluster_.info().config.http.idle_timeout);
  }
}

void TunnelConnection::onConnected() {
  LOG_CONNECTION(debug, connection, id(), "connected");
  timer_.disarm();
  state_ = State::kOpen;
  countConnected(cluster_.info(), connection_.loop().now() - start_);
  const base::Duration longest = cluster_.info().config.http.max_connection_duration;
  if (longest > base::Duration::zero()) {
    duration_timer_ = std::make_unique<event::Timer>(
        connection_.loop(), event::Timer::Callback::to<&TunnelConnection::onMaxDuration>(this));
    duration_timer_->arm(longest);
  }
  connection_.resumeReading();
  while (TcpUpstream* const tunnel = waiting_.popFront()) {
    tunnel->onReached();
  }
  connection_.loop().runNext(*this);
}

void TunnelConnection::onTimer() {
  if (state_ == State::kConnecting) {
    failure_ = ConnectFailure::kTimeout;
    cluster_.info().stats.upstream_cx_connect_timeout.add();
    connection_.close(CloseMode::kNow, CloseReason::of(CloseCode::kConnectFailed));
  } else if (tunnels_ == 0) {
    cluster_.info().stats.upstream_cx_idle_timeout.add();
    connection_.close(CloseMode::kNow, CloseReason::of(CloseCode::kIdleTimeout));
  }
}

void TunnelConnection::onMaxDuration() {
  cluster_.info().stats.upstream_cx_max_duration_reached.add();
  drain();
}

void TunnelConnection::onData(net::Buffer& data, bool end) {
  cluster_.info().stats.upstream_cx_rx_bytes_total.add(data.size());
  session_->take(data);
  countSent();
  if (end && !connection_.closed()) { // No half of it is of use.
    ended_by_peer_ = true;
    connection_.close(CloseMode::kNow, CloseReason::of(CloseCode::kUpstreamClosed));
  }
}

void TunnelConnection::onWriteBlocked(bool blocked) {
  countSent();
  session_->onSinkBlocked(blocked);
}

void TunnelConnection::noteGoodbye() {
  if (session_->goodbye() && !goodbye_counted_) {
    goodbye_counted_ = true;
    cluster_.info().stats.upstream_cx_close_notify.add();
    connection_.loop().runNext(*this);
  }
}

void TunnelConnection::onSessionEnd(Http2End end) {
  end_ = end;
  draining_ = true;
  if (state_ == State::kClosed) {
    return;
  }
  LOG_CONNECTION(debug, connection, id(), "the HTTP/2 session with %s is over",
                 host_->address().toString());
  if (broken()) {
    cluster_.info().stats.upstream_cx_protocol_error.add();
  }
  const CloseMode mode = end == Http2End::kKeepalive ? CloseMode::kNow : CloseMode::kFlush;
  connection_.close(mode, CloseReason::of(CloseCode::kUpstreamClosed));
}

void TunnelConnection::onClosed(const CloseReason& reason) {
  const bool failed = state_ == State::kConnecting;
  const bool refused = reason.code == CloseCode::kTransportFailure;
  std::string why = connection_.io().failureReason();
  if (failed) {
    failure_reason_ = std::move(why);
  } else {
    lost_reason_ = why.empty() ? std::string(net::kTunnelLost) : std::move(why);
  }
  timer_.disarm();
  duration_timer_.reset();
  countEnd(ended_by_peer_ || reason.code == CloseCode::kPeerReset ||
           reason.code == CloseCode::kPeerClosed ||
           (refused && failure_ == ConnectFailure::kRefused));
  state_ = State::kClosed;
  if (failed) {
    LOG_CONNECTION(debug, connection, id(), "connect to %s failed: %s", host_->address().toString(),
                   failure_reason_);
  }
  session_->onSinkClosed(); // Its tunnels hear of it in the turns that come.
  connection_.loop().runNext(*this);
}

void TunnelConnection::countEnd(bool by_peer) {
  countSent();
  const bool connected = state_ == State::kOpen;
  const ConnectionEnd end = {connected, by_peer, connected && tunnels_ > 0 && !broken()};
  countConnectionEnd(cluster_.info(), host_->state(), end, connection_.loop().now() - start_);
}

// Sent bytes are counted when something happens, for writing calls nobody back.
void TunnelConnection::countSent() {
  const uint64_t sent_bytes = connection_.bytesSent();
  cluster_.info().stats.upstream_cx_tx_bytes_total.add(sent_bytes - counted_sent_bytes_);
  counted_sent_bytes_ = sent_bytes;
}

} // namespace culvert::upstream
