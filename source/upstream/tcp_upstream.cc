// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/tcp_upstream.h"

#include <chrono>
#include <utility>

#include "source/base/clock.h"
#include "source/base/log.h"
#include "source/upstream/worker_clusters.h"

namespace culvert::upstream {
namespace {

using net::CloseCode;
using net::CloseReason;

template <class T> void increase(std::atomic<T>& value) {
  value.fetch_add(1, std::memory_order_relaxed);
}
template <class T> void decrease(std::atomic<T>& value) {
  value.fetch_sub(1, std::memory_order_relaxed);
}

// The connection calls the other end "peer"; to a session it is the upstream.
CloseReason asUpstream(const CloseReason& reason) {
  switch (reason.code) {
  case CloseCode::kPeerClosed:
    return CloseReason::of(CloseCode::kUpstreamClosed, reason.detail);
  case CloseCode::kPeerReset:
    return CloseReason::of(CloseCode::kUpstreamReset, reason.detail);
  default:
    return reason;
  }
}

} // namespace

// A connection whose session is gone; it owns itself.
struct TcpUpstream::Flush {
  std::unique_ptr<Upstream> self;
  base::Duration idle;
  uint64_t sent_bytes; // When last looked at.
  std::shared_ptr<void> until_done;
};

TcpUpstream::TcpUpstream(WorkerCluster& cluster, HostPtr host, std::unique_ptr<net::Io> io,
                         UpstreamHandler& handler)
    : cluster_(cluster), host_(std::move(host)), handler_(&handler),
      timer_(cluster.owner().loop(), event::Timer::Callback::to<&TcpUpstream::onTimer>(this)),
      connection_(cluster.owner().loop(), std::move(io), net::nextConnectionId(), true),
      start_(cluster.owner().loop().now()) {
  cluster_.addUser(*this);
  ClusterStats& stats = cluster_.info().stats;
  stats.upstream_cx_total.add();
  stats.upstream_cx_active.add();
  stats.upstream_rq_pending_total.add();
  stats.upstream_rq_pending_active.add();
  increase(host_->state().cx_total);
  increase(host_->state().cx_active);
  increase(host_->state().rq_pending_active);
}

TcpUpstream::~TcpUpstream() {
  if (state_ == State::kConnecting) {
    cluster_.info().stats.upstream_rq_cancelled.add();
    leaveConnecting();
  }
  if (state_ != State::kClosed) {
    countClosed(false);
  }
  cluster_.removeUser();
}

void TcpUpstream::start(bool local_failure) {
  const ClusterConfig& config = cluster_.info().config;
  LOG_CONNECTION(debug, connection, connection_.id(), "connecting to %s",
                 host_->address().toString());
  if (local_failure) {
    failure_ = ConnectFailure::kLocal;
  }
  if (config.per_connection_buffer_limit_bytes > 0) {
    connection_.setReadLimit(config.per_connection_buffer_limit_bytes);
  }
  connection_.start(*this);
  timer_.arm(config.connect_timeout);
}

void TcpUpstream::onConnected() {
  LOG_CONNECTION(debug, connection, connection_.id(), "connected");
  timer_.disarm();
  leaveConnecting();
  state_ = State::kOpen;
  ClusterInfo& info = cluster_.info();
  info.stats.upstream_cx_connect_ms.record(base::toMilliseconds(connection_.loop().now() - start_));
  info.stats.upstream_rq_total.add();
  info.stats.upstream_rq_active.add();
  info.breakers.requests.take();
  increase(host_->state().rq_total);
  increase(host_->state().rq_active);
  if (OutlierCounts* const outlier = host_->state().outlier.get()) {
    outlier->connected();
  }
  handler_->onUpstreamConnected();
}

void TcpUpstream::onTimer() {
  if (state_ == State::kFlushing) {
    onFlushIdle();
    return;
  }
  failure_ = ConnectFailure::kTimeout;
  cluster_.info().stats.upstream_cx_connect_timeout.add();
  connection_.close(net::CloseMode::kNow, CloseReason::of(CloseCode::kConnectFailed));
}

void TcpUpstream::onData(net::Buffer& data, bool end) {
  cluster_.info().stats.upstream_cx_rx_bytes_total.add(data.size());
  countSent();
  if (end) {
    ended_by_peer_ = connection_.endSent();
  }
  handler_->onUpstreamData(data, end);
}

void TcpUpstream::onWriteBlocked(bool blocked) {
  countSent();
  if (handler_ != nullptr) {
    handler_->onUpstreamWriteBlocked(blocked);
  }
}

net::Connection* TcpUpstream::directSink() {
  return handler_ == nullptr ? nullptr : handler_->upstreamDirectSink();
}

void TcpUpstream::onSpliced(size_t bytes) {
  cluster_.info().stats.upstream_cx_rx_bytes_total.add(bytes);
  if (handler_ != nullptr) {
    handler_->onUpstreamSpliced(bytes);
  }
}

void TcpUpstream::pauseReading() {
  cluster_.info().stats.upstream_flow_control_paused_reading_total.add();
  counted_pauses_++;
  connection_.pauseReading();
}

void TcpUpstream::resumeReading() {
  if (counted_pauses_ > 0) { // The pause that a connection begins with is no flow control.
    counted_pauses_--;
    cluster_.info().stats.upstream_flow_control_resumed_reading_total.add();
  }
  connection_.resumeReading();
}

void TcpUpstream::onClosed(const CloseReason& reason) {
  timer_.disarm();
  switch (state_) {
  case State::kConnecting:
    onConnectFailed(reason.code == CloseCode::kTransportFailure &&
                    failure_ == ConnectFailure::kRefused);
    break;
  case State::kOpen:
    countClosed(reason.code == CloseCode::kPeerReset || ended_by_peer_);
    handler_->onUpstreamClosed(asUpstream(reason));
    break;
  case State::kFlushing: {
    countClosed(reason.code == CloseCode::kPeerReset || ended_by_peer_);
    cluster_.owner().removeFlushing(*this);
    const std::unique_ptr<Flush> flush = std::move(flush_);
    connection_.loop().deferDelete(std::move(flush->self));
    break;
  }
  case State::kClosed:
    break;
  }
}

void TcpUpstream::closeIfTo(const Host& host) {
  if (host_.get() == &host && state_ == State::kOpen) {
    connection_.close(net::CloseMode::kNow, CloseReason::of(CloseCode::kHostUnhealthy));
  }
}

void TcpUpstream::onConnectFailed(bool by_peer) {
  LOG_CONNECTION(debug, connection, connection_.id(), "connect to %s failed: %s",
                 host_->address().toString(), connection_.io().failureReason());
  cluster_.info().stats.upstream_rq_pending_failure_eject.add();
  leaveConnecting();
  countClosed(by_peer);
  OutlierCounts* const outlier = host_->state().outlier.get();
  if (outlier != nullptr && failure_ != ConnectFailure::kLocal) {
    outlier->connectFailed();
  }
  handler_->onUpstreamFailed(failure_);
}

// It no longer waits: it is connected, or never will be.
void TcpUpstream::leaveConnecting() {
  ClusterInfo& info = cluster_.info();
  info.stats.upstream_rq_pending_active.sub();
  info.breakers.pending.giveBack();
  decrease(host_->state().rq_pending_active);
}

void TcpUpstream::countClosed(bool by_peer) {
  ClusterInfo& info = cluster_.info();
  ClusterStats& stats = info.stats;
  const bool was_connecting = std::exchange(state_, State::kClosed) == State::kConnecting;
  countSent();
  stats.upstream_cx_length_ms.record(base::toMilliseconds(connection_.loop().now() - start_));
  stats.upstream_cx_active.sub();
  stats.upstream_cx_destroy.add();
  (by_peer ? stats.upstream_cx_destroy_remote : stats.upstream_cx_destroy_local).add();
  info.breakers.connections.giveBack();
  decrease(host_->state().cx_active);
  if (was_connecting) {
    stats.upstream_cx_connect_fail.add();
    increase(host_->state().cx_connect_fail);
    return;
  }
  stats.upstream_cx_destroy_with_active_rq.add();
  (by_peer ? stats.upstream_cx_destroy_remote_with_active_rq
           : stats.upstream_cx_destroy_local_with_active_rq)
      .add();
  stats.upstream_rq_active.sub();
  info.breakers.requests.giveBack();
  decrease(host_->state().rq_active);
}

// Sent bytes are counted when something happens, for writing calls nobody back.
void TcpUpstream::countSent() {
  const uint64_t sent_bytes = connection_.bytesSent();
  cluster_.info().stats.upstream_cx_tx_bytes_total.add(sent_bytes - counted_sent_bytes_);
  counted_sent_bytes_ = sent_bytes;
}

void TcpUpstream::flushAndForget(std::unique_ptr<Upstream> self, base::Duration idle,
                                 std::shared_ptr<void> until_done) {
  handler_ = nullptr;
  if (state_ != State::kOpen || !cluster_.owner().addFlushing(*this)) {
    connection_.loop().deferDelete(std::move(self));
    return;
  }
  state_ = State::kFlushing;
  flush_ = std::make_unique<Flush>(
      Flush{std::move(self), idle, connection_.bytesSent(), std::move(until_done)});
  if (idle > base::Duration::zero()) {
    timer_.arm(idle);
  }
  connection_.close(net::CloseMode::kFlush, CloseReason::of(CloseCode::kDownstreamGone));
}

void TcpUpstream::destroyFlushing() {
  cluster_.owner().removeFlushing(*this);
  const std::unique_ptr<Flush> flush = std::move(flush_);
}

void TcpUpstream::onFlushIdle() {
  if (connection_.bytesSent() == std::exchange(flush_->sent_bytes, connection_.bytesSent())) {
    connection_.close(net::CloseMode::kNow, CloseReason::of(CloseCode::kIdleTimeout));
    return;
  }
  timer_.arm(flush_->idle);
}

} // namespace culvert::upstream
