// SPDX-License-Identifier: Apache-2.0
#include "source/filters/http_connection_manager/tunnel.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/log.h"
#include "source/event/http_server.h"

namespace culvert::http_connection_manager {
namespace {

using event::Timer;
using net::CloseCode;
using net::CloseMode;
using net::CloseReason;
using upstream::ConnectFailure;

constexpr absl::string_view kConnectError =
    "upstream connect error or disconnect/reset before headers. reset reason: ";

bool isConnect(const net::RequestInfo& request) {
  const std::string* const method = net::RequestInfo::find(request.headers, ":method");
  return method != nullptr && *method == "CONNECT" &&
         net::RequestInfo::find(request.headers, ":protocol") == nullptr;
}

absl::string_view reasonOf(ConnectFailure failure) {
  switch (failure) {
  case ConnectFailure::kTimeout:
    return "connection timeout";
  case ConnectFailure::kLocal:
    return "local connection failure";
  default:
    return "remote connection failure";
  }
}

} // namespace

Tunnel::Tunnel(const Config& config, net::ConnectionInfo record, std::unique_ptr<Client> client,
               event::Loop& loop, upstream::ThreadClusters& clusters, TunnelOwner& owner)
    : config_(config), stats_(config.stats()), info_(std::move(record)), client_(std::move(client)),
      loop_(loop), clusters_(clusters), owner_(owner),
      idle_timer_(loop, Timer::Callback::to<&Tunnel::onIdle>(this)), last_activity_(loop.now()) {
  stats_.downstream_rq_total.add();
  stats_.downstream_rq_active.add();
}

Tunnel::~Tunnel() = default;

void Tunnel::start() {
  client_->attach(*this);
  config::writeFilterState(config_.state_values, info_, loop_.clock());
  route();
  if (state_ != State::kOver && idleTimeout() > base::Duration::zero()) {
    idle_timer_.arm(idleTimeout());
  }
}

void Tunnel::route() {
  const net::RequestInfo& request = *info_.request;
  const std::string* const authority = net::RequestInfo::find(request.headers, ":authority");
  if (isConnect(request)) {
    stats_.downstream_cx_upgrades_total.add();
    stats_.downstream_cx_upgrades_active.add();
    route_ = config_.routes.find(authority == nullptr ? "" : *authority, request.headers);
  }
  if (route_ == nullptr) {
    stats_.no_route.add();
    refuse(404, net::kNoRouteFound, "route_not_found");
    return;
  }
  info_.request->route_name = route_->name;
  stats_.rq_total.add();
  if (route_->direct_status != 0) {
    stats_.rq_direct_response.add();
    refuse(route_->direct_status, 0, "direct_response", route_->direct_body);
    return;
  }
  upstream::ThreadCluster* const cluster = clusters_.find(route_->cluster);
  if (cluster == nullptr) {
    stats_.no_cluster.add();
    refuse(route_->no_cluster_status, net::kNoClusterFound, "cluster_not_found");
    return;
  }
  connect(*cluster);
}

void Tunnel::connect(upstream::ThreadCluster& cluster) {
  net::UpstreamInfo& info = info_.mutableUpstream();
  info.cluster = cluster.description();
  info.connect_start = loop_.now();
  info.attempts = 1;
  auto result = cluster.connect(*this, *this);
  if (const auto* failure = std::get_if<ConnectFailure>(&result)) {
    // What it answers at once is about the cluster, or about a circuit breaker.
    fail(*failure == ConnectFailure::kLocal ? ConnectFailure::kOverflow : *failure);
    return;
  }
  upstream_ = std::move(std::get<std::unique_ptr<upstream::Upstream>>(result));
  info.host = upstream_->host();
  info.hosts_attempted.push_back(info.host);
  info.connection_id = upstream_->connection().id();
}

void Tunnel::fail(ConnectFailure failure) {
  switch (failure) {
  case ConnectFailure::kNoHealthyHost:
    refuse(503, net::kNoHealthyUpstream, "no_healthy_upstream", "no healthy upstream");
    return;
  case ConnectFailure::kOverflow:
    refuse(503, net::kUpstreamOverflow, "upstream_reset_before_response_started{overflow}",
           absl::StrCat(kConnectError, "overflow"));
    return;
  case ConnectFailure::kRefused:
  case ConnectFailure::kTimeout:
  case ConnectFailure::kLocal:
    break;
  }
  const absl::string_view reason = reasonOf(failure);
  const std::string& why = info_.upstream->failure_reason;
  refuse(503, net::kUpstreamConnectionFailure,
         absl::StrCat("upstream_reset_before_response_started{", reason, why.empty() ? "" : "|",
                      why, "}"),
         absl::StrCat(kConnectError, reason));
}

void Tunnel::onUpstreamFailed(ConnectFailure failure) {
  info_.upstream->failure_reason = upstream_->connection().io().failureReason();
  LOG_CONNECTION(debug, filter, info_.id, "attempt to reach %s failed: %s",
                 info_.upstream->host->address.toString(), info_.upstream->failure_reason);
  upstream_->countAnswer(false);
  loop_.deferDelete(std::move(upstream_));
  fail(failure);
}

// In Envoy's order.
net::RequestInfo::Fields Tunnel::standardFields() const {
  net::RequestInfo::Fields fields = {{"date", event::httpDate(loop_.clock().wallNow())}};
  if (!config_.server_name.empty()) {
    fields.emplace_back("server", config_.server_name);
  }
  return fields;
}

void Tunnel::refuse(uint32_t status, uint32_t flags, std::string details, std::string body) {
  info_.response_flags |= flags;
  setDetails(std::move(details));
  net::RequestInfo::Fields fields;
  if ((flags & net::kUpstreamOverflow) != 0) {
    fields.emplace_back("x-envoy-overloaded", "true");
  }
  if (!body.empty()) {
    fields.emplace_back("content-length", std::to_string(body.size()));
    fields.emplace_back("content-type", "text/plain");
  }
  for (auto& field : standardFields()) {
    fields.push_back(std::move(field));
  }
  info_.bytes_sent += body.size();
  countAnswer(status);
  info_.request->response_headers = fields;
  state_ = State::kClosing;
  const bool host_failed = (flags & net::kUpstreamConnectionFailure) != 0;
  client_->refuse(status, fields, std::move(body), host_failed); // It may be over now.
}

void Tunnel::accept() {
  net::RequestInfo::Fields fields;
  if (config_.tell_service_time && client_->ended()) {
    fields.emplace_back("x-envoy-upstream-service-time",
                        std::to_string(base::toMilliseconds(loop_.now() - info_.start)));
  }
  for (auto& field : standardFields()) {
    fields.push_back(std::move(field));
  }
  setDetails("via_upstream");
  countAnswer(200);
  info_.request->response_headers = fields;
  owner_.onTunnelAnswer();
  client_->accept(fields);
}

void Tunnel::countAnswer(uint32_t status) {
  info_.request->response_code = status;
  answered_ = true;
  stats_.downstream_rq_completed.add();
  stats::Counter* const classes[] = {&stats_.downstream_rq_1xx, &stats_.downstream_rq_2xx,
                                     &stats_.downstream_rq_3xx, &stats_.downstream_rq_4xx,
                                     &stats_.downstream_rq_5xx};
  classes[status / 100 - 1]->add();
}

void Tunnel::setDetails(std::string details) {
  info_.request->details = std::move(details);
  info_.response_code_details = info_.request->details;
}

void Tunnel::onUpstreamConnected() {
  net::UpstreamInfo& info = *info_.upstream;
  net::Connection& transport = upstream_->connection();
  info.connect_end = last_activity_ = loop_.now();
  info.tls = transport.io().tlsInfo();
  info.local = transport.io().localAddress();
  state_ = State::kOpen;
  upstream_->countAnswer(true);
  accept();
  transport.resumeReading(); // Both undo the pause that a connection begins with.
  client_->resumeReading();
}

void Tunnel::onClientData(net::Buffer& data, bool end) {
  last_activity_ = loop_.now();
  info_.bytes_received += data.size();
  if (state_ != State::kOpen || upstream_ == nullptr) {
    data.clear();
    return;
  }
  upstream_->connection().write(data, end);
  if (end && route_->timeout > base::Duration::zero()) {
    timeout_ = std::make_unique<Timer>(loop_, Timer::Callback::to<&Tunnel::onTimeout>(this));
    timeout_->arm(route_->timeout);
  }
}

// The client takes bytes slower than the upstream host sends them.
void Tunnel::onClientBlocked(bool blocked) {
  last_activity_ = loop_.now();
  if (upstream_ == nullptr || state_ != State::kOpen) {
    return;
  }
  if (blocked) {
    upstream_->pauseReading();
  } else {
    upstream_->resumeReading();
  }
}

// The upstream host takes bytes slower than the client sends them.
void Tunnel::onUpstreamWriteBlocked(bool blocked) {
  last_activity_ = loop_.now();
  if (blocked == std::exchange(client_paused_, blocked)) {
    return;
  }
  if (blocked) {
    stats_.downstream_flow_control_paused_reading_total.add();
    client_->pauseReading();
  } else {
    stats_.downstream_flow_control_resumed_reading_total.add();
    client_->resumeReading();
  }
}

void Tunnel::onUpstreamData(net::Buffer& data, bool end) {
  last_activity_ = loop_.now();
  info_.bytes_sent += data.size();
  client_->write(data, end);
  if (end && state_ == State::kOpen) {
    releaseUpstream(CloseMode::kFlush);
    client_->close(CloseMode::kFlush);
  }
}

// Its end was heard of before: this is a reset, or its host was taken away.
void Tunnel::onUpstreamClosed(const CloseReason& reason) {
  if (state_ != State::kOpen) {
    return;
  }
  releaseUpstream(CloseMode::kNow);
  info_.close_reason = reason;
  info_.response_flags |= net::kUpstreamConnectionTermination;
  setDetails("upstream_reset_after_response_started{connection_termination}");
  stats_.downstream_rq_tx_reset.add();
  reset_ = true;
  client_->close(CloseMode::kReset);
}

void Tunnel::cut(net::ResponseFlag flag, absl::string_view details) {
  if (state_ != State::kClosing) { // Else all was said.
    info_.response_flags |= flag;
    setDetails(std::string(details));
  }
  client_->close(CloseMode::kNow);
  if (state_ != State::kOver) { // It was closed before, and nobody is told again.
    onClientClosed(CloseReason::of(CloseCode::kDownstreamGone));
  }
}

void Tunnel::onClientClosed(const CloseReason& reason) {
  if (reason.code == CloseCode::kPeerReset) {
    info_.response_flags |= net::kDownstreamRemoteReset;
    info_.detected_close = net::DetectedClose::kRemoteReset;
    setDetails("http2.remote_reset");
    reset_ = true;
  }
  info_.close_reason = reason;
  // The client did not say that this is all: nor may the host believe so.
  if (upstream_ != nullptr) {
    releaseUpstream(CloseMode::kReset);
  }
  end();
}

void Tunnel::releaseUpstream(CloseMode mode) {
  if (std::exchange(state_, State::kClosing) == State::kConnecting) {
    upstream_.reset(); // None of its callbacks is on the stack.
    return;
  }
  net::Connection& transport = upstream_->connection();
  info_.upstream->bytes_received = transport.bytesReceived();
  info_.upstream->bytes_sent = transport.bytesSent();
  info_.upstream->detected_close = transport.detectedClose();
  if (mode == CloseMode::kFlush && transport.unsentBytes() > 0) {
    upstream::Upstream& upstream = *upstream_;
    if (!upstream.flushAndForget(std::move(upstream_), idleTimeout(), nullptr)) {
      stats_.upstream_flush_overflow.add();
      info_.upstream->local_close_reason = upstream::kFlushOverflow;
    }
    return;
  }
  if (transport.open()) {
    transport.close(mode, CloseReason::of(CloseCode::kDownstreamGone));
  }
  loop_.deferDelete(std::move(upstream_));
}

void Tunnel::end() {
  if (std::exchange(state_, State::kOver) == State::kOver) {
    return;
  }
  idle_timer_.disarm();
  timeout_.reset();
  info_.end = loop_.clock().now();
  stats_.downstream_rq_active.sub();
  if (isConnect(*info_.request)) {
    stats_.downstream_cx_upgrades_active.sub();
  }
  if (reset_ || (answered_ && !client_->ended())) {
    stats_.downstream_rq_rx_reset.add();
  }
  if (answered_ && !client_->ended()) {
    stats_.downstream_rq_response_before_rq_complete.add();
  }
  stats_.downstream_rq_time.record(base::toMilliseconds(info_.end - info_.start));
  const access_log::Entry entry{info_, access_log::Type::kDownstreamEnd, loop_.clock().now(),
                                loop_.clock().wallNow()};
  for (const auto& logger : config_.access_logs) {
    logger->log(entry);
  }
  owner_.onTunnelEnd(*this);
}

base::Duration Tunnel::idleTimeout() const {
  return route_ == nullptr ? config_.stream_idle_timeout
                           : route_->idle_timeout.value_or(config_.stream_idle_timeout);
}

// The timer is not moved with each byte: when it fires it waits on for what is left.
void Tunnel::onIdle() {
  const base::Duration idle = loop_.clock().now() - last_activity_;
  if (idle < idleTimeout()) {
    idle_timer_.arm(idleTimeout() - idle);
    return;
  }
  stats_.downstream_rq_idle_timeout.add();
  timeOut(net::kStreamIdleTimeout, "stream_idle_timeout");
}

void Tunnel::onTimeout() { timeOut(net::kUpstreamRequestTimeout, "response_timeout"); }

void Tunnel::timeOut(uint32_t flag, absl::string_view details) {
  if (!answered_) {
    if (upstream_ != nullptr) {
      releaseUpstream(CloseMode::kNow);
    }
    refuse(client_->ended() ? 504 : 408, flag, std::string(details), "stream timeout");
    return;
  }
  info_.response_flags |= flag;
  setDetails(std::string(details));
  stats_.downstream_rq_tx_reset.add();
  reset_ = true;
  client_->timeOut();
}

} // namespace culvert::http_connection_manager
