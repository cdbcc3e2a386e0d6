// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/tcp_upstream.h"

#include <atomic>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/clock.h"
#include "source/base/log.h"
#include "source/upstream/connection_counts.h"
#include "source/upstream/host_pool.h"
#include "source/upstream/http1_tunnel_io.h"
#include "source/upstream/tunnel_connection.h"
#include "source/upstream/worker_clusters.h"

namespace culvert::upstream {
namespace {

using net::CloseCode;
using net::CloseReason;

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
    : cluster_(cluster), host_(std::move(host)), carrier_(nullptr), handler_(&handler),
      timer_(cluster.owner().loop(), event::Timer::Callback::to<&TcpUpstream::onTimer>(this)),
      connection_(cluster.owner().loop(), std::move(io), net::nextConnectionId(), true),
      start_(cluster.owner().loop().now()) {
  cluster_.addUser(*this);
  countConnection(cluster_.info(), host_->state());
  countWaiting(cluster_.info(), host_->state());
}

TcpUpstream::TcpUpstream(WorkerCluster& cluster, HostPtr host,
                         std::unique_ptr<hbone::Http2StreamIo> stream, UpstreamHandler& handler,
                         TunnelConnection& carrier)
    : cluster_(cluster), host_(std::move(host)), carrier_(&carrier), handler_(&handler),
      timer_(cluster.owner().loop(), event::Timer::Callback::to<&TcpUpstream::onTimer>(this)),
      connection_(cluster.owner().loop(), std::move(stream), carrier.id(), true),
      start_(cluster.owner().loop().now()) {
  cluster_.addUser();
  carrier.addTunnel(*this);
  if (carrier.connected()) {
    state_ = State::kAsking;
    countRequest(cluster_.info(), host_->state());
  } else {
    countWaiting(cluster_.info(), host_->state());
  }
}

TcpUpstream::TcpUpstream(WorkerCluster& cluster, HostPtr host, std::unique_ptr<PooledIo> io,
                         UpstreamHandler& handler)
    : cluster_(cluster), host_(std::move(host)), carrier_(nullptr), handler_(&handler),
      timer_(cluster.owner().loop(), event::Timer::Callback::to<&TcpUpstream::onTimer>(this)),
      connection_(cluster.owner().loop(), std::move(io), net::nextConnectionId(), true),
      start_(cluster.owner().loop().now()), state_(State::kWaiting) {
  cluster_.addUser(*this);
}

TcpUpstream::~TcpUpstream() {
  const CloseReason dropped = CloseReason::of(CloseCode::kDownstreamGone);
  if (state_ == State::kWaiting) {
    pooled()->pool().onCancelled(*pooled());
  }
  if (state_ == State::kConnecting || state_ == State::kWaiting) {
    cluster_.info().stats.upstream_rq_cancelled.add();
  }
  if (state_ != State::kClosed) {
    countClosed(dropped);
  }
  if (carrier_ != nullptr) {
    connection_.close(net::CloseMode::kNow, dropped); // What it says goes before what carries it.
    carrier_->removeTunnel();
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
  if (carrier_ == nullptr && state_ == State::kConnecting) {
    timer_.arm(config.connect_timeout);
  }
}

void TcpUpstream::attach(std::unique_ptr<net::Io> io, base::Instant started, bool waited) {
  ClusterInfo& info = cluster_.info();
  if (waited) {
    countWaitingEnd(info, host_->state());
  }
  info.breakers.requests.take();
  countRequest(info, host_->state());
  start_ = started;
  state_ = State::kAsking;
  pooled()->begin(std::move(io));
}

void TcpUpstream::failWaiting(ConnectFailure failure, const std::string& reason) {
  failure_ = failure;
  pooled()->giveUp(reason);
  connection_.close(net::CloseMode::kNow, CloseReason::of(CloseCode::kConnectFailed));
}

void TcpUpstream::onReached() {
  ClusterInfo& info = cluster_.info();
  timer_.disarm();
  if (carrier_ == nullptr) {
    countConnected(info, connection_.loop().now() - start_);
    info.breakers.requests.take();
  } else if (!info.breakers.requests.tryTake()) {
    info.stats.upstream_rq_active_overflow.add();
    connection_.close(net::CloseMode::kReset, CloseReason::of(CloseCode::kOverflow));
    return;
  }
  countWaitingEnd(info, host_->state());
  countRequest(info, host_->state());
  state_ = State::kAsking;
}

void TcpUpstream::onConnected() {
  if (state_ == State::kConnecting) {
    onReached();
  }
  if (tunnelRefused()) {
    connection_.close(net::CloseMode::kReset, CloseReason::of(CloseCode::kConnectFailed));
    return;
  }
  LOG_CONNECTION(debug, connection, connection_.id(), "connected");
  state_ = State::kOpen;
  if (OutlierCounts* const outlier = host_->state().outlier.get()) {
    outlier->connected();
  }
  handler_->onUpstreamConnected();
  if (carrier_ != nullptr) {
    static_cast<hbone::Http2StreamIo&>(connection_.io()).forgetFields();
  }
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
  if (carrier_ == nullptr) {
    cluster_.info().stats.upstream_cx_rx_bytes_total.add(data.size());
  }
  countSent();
  if (end) {
    ended_by_peer_ = connection_.endSent() && http1() == nullptr; // Whose end is ours.
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

void TcpUpstream::countAnswer(bool success) {
  HostState& state = host_->state();
  (success ? state.rq_success : state.rq_error).fetch_add(1, std::memory_order_relaxed);
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
  case State::kWaiting:
  case State::kConnecting:
  case State::kAsking:
    onConnectFailed(reason);
    break;
  case State::kOpen:
    countClosed(reason);
    handler_->onUpstreamClosed(seenBySession(reason));
    break;
  case State::kFlushing: {
    countClosed(reason);
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

// A tunnel that goes because its connection does has ended, not been reset, as in Envoy.
CloseReason TcpUpstream::seenBySession(const CloseReason& reason) {
  const bool with_carrier = carrier_ != nullptr && (carrier_->lost() || carrier_->broken());
  return with_carrier && reason.code == CloseCode::kPeerReset
             ? CloseReason::of(CloseCode::kUpstreamClosed, net::kTunnelLost)
             : asUpstream(reason);
}

void TcpUpstream::onConnectFailed(const CloseReason& reason) {
  LOG_CONNECTION(debug, connection, connection_.id(), "connect to %s failed: %s",
                 host_->address().toString(), failureReason());
  if (reason.code == CloseCode::kOverflow) {
    failure_ = ConnectFailure::kLocal;
  } else if (state_ == State::kConnecting || state_ == State::kWaiting) {
    cluster_.info().stats.upstream_rq_pending_failure_eject.add();
    failure_ = carrier_ == nullptr ? failure_ : carrier_->failure();
  }
  countClosed(reason);
  OutlierCounts* const outlier = host_->state().outlier.get();
  if (outlier != nullptr && failure_ != ConnectFailure::kLocal) {
    outlier->connectFailed();
  }
  handler_->onUpstreamFailed(failure_);
}

const hbone::Http2StreamIo* TcpUpstream::stream() {
  return carrier_ == nullptr ? nullptr
                             : static_cast<const hbone::Http2StreamIo*>(&connection_.io());
}

const Http1TunnelIo* TcpUpstream::http1() {
  return dynamic_cast<const Http1TunnelIo*>(&connection_.io());
}

PooledIo* TcpUpstream::pooled() {
  return cluster_.pools() == nullptr ? nullptr : dynamic_cast<PooledIo*>(&connection_.io());
}

// To Envoy, 200 is the only status that opens a tunnel of HTTP/2, and none that ends with it does.
bool TcpUpstream::tunnelRefused() {
  const hbone::Http2StreamIo* const tunnel = stream();
  return tunnel != nullptr &&
         (tunnel->response()->status != 200 || (tunnel->ended() && tunnel->unreadBytes() == 0));
}

std::string TcpUpstream::failureReason() {
  const hbone::Http2StreamIo* const tunnel = stream();
  if (tunnel == nullptr) {
    return connection_.io().failureReason();
  }
  return tunnel->response() == nullptr
             ? carrier_->failureReason()
             : absl::StrCat("tunnel_response:", tunnel->response()->status);
}

std::string TcpUpstream::tunnelFailure() {
  const hbone::Http2StreamIo* const tunnel = stream();
  if (tunnel == nullptr || tunnel->response() != nullptr) {
    return "";
  }
  return carrier_->closed() ? carrier_->lostReason() : tunnel->failureReason();
}

std::unique_ptr<HttpFields> TcpUpstream::tunnelAnswer() {
  if (const Http1TunnelIo* const asked = http1()) {
    return asked->answer() == nullptr ? nullptr : std::make_unique<HttpFields>(*asked->answer());
  }
  const hbone::Http2StreamIo* const tunnel = stream();
  return tunnel == nullptr || tunnel->response() == nullptr
             ? nullptr
             : std::make_unique<HttpFields>(tunnel->response()->fields);
}

void TcpUpstream::countClosed(const CloseReason& reason) {
  ClusterInfo& info = cluster_.info();
  const State state = std::exchange(state_, State::kClosed);
  countSent();
  if (state == State::kWaiting) {
    countWaitingEnd(info, host_->state());
    return;
  }
  if (carrier_ == nullptr) {
    const bool refused = reason.code == CloseCode::kTransportFailure;
    const bool by_peer = state == State::kConnecting
                             ? refused && failure_ == ConnectFailure::kRefused
                             : reason.code == CloseCode::kPeerReset || ended_by_peer_;
    countConnectionEnd(info, host_->state(), {state != State::kConnecting, by_peer, true},
                       connection_.loop().now() - start_);
  } else if (state != State::kConnecting) {
    countTunnelEnd(reason);
  }
  if (state == State::kConnecting) {
    countWaitingEnd(info, host_->state());
  } else {
    countRequestEnd(info, host_->state());
  }
  if (PooledIo* const io = pooled()) {
    io->pool().onConnectionEnded();
  }
}

// How a stream ended: Envoy counts who reset it, but not the peer's refusals.
void TcpUpstream::countTunnelEnd(const CloseReason& reason) {
  constexpr uint32_t kRefusedStream = 7; // RFC 9113, section 7.
  ClusterStats& stats = cluster_.info().stats;
  const bool refused = reason.code == CloseCode::kTransportFailure;
  const bool done =
      reason.code == CloseCode::kPeerClosed || (stream()->ended() && connection_.endSent());
  if (carrier_->lost()) {
    stats.upstream_rq_pending_failure_eject.add();
  } else if (reason.code == CloseCode::kPeerReset || (refused && stream()->response() == nullptr)) {
    (carrier_->broken() ? stats.upstream_rq_tx_reset : stats.upstream_rq_rx_reset)
        .add(carrier_->broken() || stream()->resetCode() != kRefusedStream);
  } else if (!done) {
    stats.upstream_rq_tx_reset.add();
  }
}

// Sent bytes are counted when something happens, for writing calls nobody back.
void TcpUpstream::countSent() {
  if (carrier_ != nullptr) {
    return;
  }
  const uint64_t sent_bytes = connection_.bytesSent();
  cluster_.info().stats.upstream_cx_tx_bytes_total.add(sent_bytes - counted_sent_bytes_);
  counted_sent_bytes_ = sent_bytes;
}

bool TcpUpstream::flushAndForget(std::unique_ptr<Upstream> self, base::Duration idle,
                                 std::shared_ptr<void> until_done) {
  if (state_ == State::kOpen && !cluster_.owner().addFlushing(*this)) {
    // The host must not take what it got for all there was.
    connection_.close(net::CloseMode::kReset, CloseReason::of(CloseCode::kDownstreamGone));
    connection_.loop().deferDelete(std::move(self));
    return false;
  }
  handler_ = nullptr;
  if (state_ != State::kOpen) {
    connection_.loop().deferDelete(std::move(self));
    return true;
  }
  state_ = State::kFlushing;
  flush_ = std::make_unique<Flush>(
      Flush{std::move(self), idle, connection_.bytesSent(), std::move(until_done)});
  if (idle > base::Duration::zero()) {
    timer_.arm(idle);
  }
  connection_.close(net::CloseMode::kFlush, CloseReason::of(CloseCode::kDownstreamGone));
  return true;
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
