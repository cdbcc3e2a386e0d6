// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <utility>

#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "source/base/hash.h"
#include "source/base/log.h"
#include "source/event/timer_heap.h"
#include "source/filter_api/filter.h"
#include "source/filter_api/well_known_state.h"
#include "source/filters/tcp_proxy/config.h"
#include "source/filters/tcp_proxy/tunneling.h"
#include "source/net/tunnel_observer.h"
#include "source/upstream/upstream.h"

namespace culvert {
namespace tcp_proxy {
namespace {

using event::Timer;
using upstream::ConnectFailure;

// How long a session without an idle timeout may take to hand its last bytes over.
constexpr std::chrono::hours kFlushIdle(1);

// A worker's random numbers for its sessions.
struct WorkerRandom : base::Random {
  explicit WorkerRandom(event::Loop&) {}
};

CloseCode closeCode(ConnectFailure failure) {
  switch (failure) {
  case ConnectFailure::kNoHealthyHost:
    return CloseCode::kNoHealthyHost;
  case ConnectFailure::kOverflow:
    return CloseCode::kOverflow;
  case ConnectFailure::kRefused:
  case ConnectFailure::kTimeout:
  case ConnectFailure::kLocal:
    return CloseCode::kConnectFailed;
  }
  return CloseCode::kConnectFailed;
}

// Joins a downstream connection to one connection of a cluster: picks and connects, then relays
// both directions with back-pressure, half-close and reset, and logs.
class TcpProxy final : public Filter,
                       private upstream::UpstreamHandler,
                       private upstream::LoadBalancerContext {
public:
  static constexpr bool kTerminal = true;
  static constexpr const char* kNames[] = {"envoy.filters.network.tcp_proxy", "envoy.tcp_proxy"};

  TcpProxy(const Config& config, FilterContext& context)
      : config_(config), stats_(config.stats()), clusters_(context.clusters()) {
    if (clusters_ != nullptr) { // For a connection, be it one that a filter before this refuses.
      stats_.downstream_cx_total.add();
    }
  }
  ~TcpProxy() override;

  Next onOpen() override;
  void onHandshake() override;
  Next onData(Buffer& data, bool end) override;
  void onWriteBlocked(bool blocked) override;
  void onClose(const CloseReason& reason) override;

private:
  // The upstream side's calls.
  void onUpstreamConnected() override;
  void onUpstreamFailed(ConnectFailure failure) override;
  void onUpstreamData(Buffer& data, bool end) override;
  void onUpstreamWriteBlocked(bool blocked) override;
  void onUpstreamClosed(const CloseReason& reason) override;
  net::Connection* upstreamDirectSink() override;
  void onUpstreamSpliced(size_t) override { countSent(); }

  const ConnectionInfo* downstream() const override { return info_; }
  std::optional<uint64_t> hashKey() const override;
  const upstream::MetadataMatch* metadataMatch() const override { return target_->match.get(); }

  void pickTarget();
  void connect();
  bool tunnels() const;
  void keepAnswer();
  void tellObserver();
  void retry(ConnectFailure failure);
  void giveUp(CloseCode code) { connection().close(CloseReason::of(code), CloseMode::kNow); }
  void keepEarly(Buffer& data, bool end);
  bool drains() { return config_.check_drain_close && info_->drains(connection().loop()); }
  void endDrained();
  void sendEarly();
  void releaseUpstream(const CloseReason& reason);
  void recordUpstreamEnd();

  std::optional<base::Duration> idleTimeout() const;
  void startTimers();
  void onIdle();
  void onMaxDuration();
  void onLogInterval();
  access_log::Entry entry(access_log::Type type);
  void log(access_log::Type type);

  void countReceived(size_t bytes) {
    last_activity_ = connection().loop().now();
    counted_received_bytes_ += bytes;
    stats_.downstream_cx_rx_bytes_total.add(bytes);
  }
  // What has left, not what was written: a peer may be gone before it takes that.
  void countSent() {
    last_activity_ = connection().loop().now();
    const uint64_t sent_bytes = connection().transport().bytesSent();
    stats_.downstream_cx_tx_bytes_total.add(sent_bytes - counted_sent_bytes_);
    counted_sent_bytes_ = sent_bytes;
  }

  std::unique_ptr<Timer> newTimer(Timer::Callback callback, base::Duration delay) {
    auto timer = std::make_unique<Timer>(connection().loop(), callback);
    timer->arm(delay);
    return timer;
  }
  base::Random& random() { return connection().loop().local<WorkerRandom>(); }

  const Config& config_;
  Stats& stats_;
  upstream::ThreadClusters* const clusters_;
  ConnectionInfo* info_ = nullptr;
  const Target* target_ = nullptr;
  std::unique_ptr<const Target> own_target_; // Only where filters before this one had their say.
  std::unique_ptr<upstream::Upstream> upstream_;
  std::unique_ptr<Buffer> early_; // Read before there was somewhere to send it.
  std::unique_ptr<Timer> idle_timer_;
  std::unique_ptr<Timer> rare_timer_; // Backoff before an attempt; later the log's interval.
  std::unique_ptr<Timer> duration_timer_;
  base::Instant last_activity_;
  size_t counted_unsent_bytes_ = 0;
  uint64_t counted_received_bytes_ = 0;
  uint64_t counted_sent_bytes_ = 0;
  bool early_end_ = false;
  bool connecting_ = false;
  bool connected_ = false;
  bool downstream_paused_ = false; // For want of an upstream connection.
  bool closing_ = false;
};

TcpProxy::~TcpProxy() {
  if (info_ != nullptr) {
    log(access_log::Type::kTcpConnectionEnd);
  }
}

Next TcpProxy::onOpen() {
  info_ = &connection().info();
  LOG_CONNECTION(debug, filter, connection().id(), "new tcp proxy session");
  pickTarget();
  if (const auto duration = config_.maxDuration(random())) {
    duration_timer_ = newTimer(Timer::Callback::to<&TcpProxy::onMaxDuration>(this), *duration);
  }
  if (config_.log_at_start) {
    info_->mutableUpstream(); // As Envoy's lines have it from the start.
    log(access_log::Type::kTcpConnectionStart);
  }
  if (config_.max_early_data_bytes.value_or(0) == 0 &&
      config_.connect_when == ConnectWhen::kAtOnce) {
    downstream_paused_ = true;
    connection().pauseReading();
  }
  if (config_.connect_when == ConnectWhen::kAtOnce ||
      (config_.connect_when == ConnectWhen::kAfterHandshake && connection().transport().open())) {
    connect();
  }
  return Next::kContinue;
}

void TcpProxy::onHandshake() {
  if (config_.connect_when == ConnectWhen::kAfterHandshake) {
    connect();
  }
}

// What filters before this one named, else what is configured.
void TcpProxy::pickTarget() {
  const net::FilterState::Object* const named =
      info_->filter_state == nullptr ? nullptr : info_->filter_state->find(kTcpProxyCluster);
  if (named != nullptr) {
    own_target_ = std::make_unique<const Target>(Target{named->serialize(), config_.match()});
    target_ = own_target_.get();
  } else {
    target_ = &config_.pickTarget(random());
  }
  const net::Value::Fields* const wanted =
      info_->dynamic_metadata == nullptr ? nullptr
                                         : info_->dynamic_metadata->find(upstream::kSubsetMetadata);
  if (wanted == nullptr) {
    return;
  }
  auto match = std::make_shared<const upstream::MetadataMatch>(
      target_->match == nullptr ? upstream::MetadataMatch(*wanted) : target_->match->with(*wanted));
  own_target_ = std::make_unique<const Target>(Target{target_->cluster, std::move(match)});
  target_ = own_target_.get();
}

std::optional<uint64_t> TcpProxy::hashKey() const {
  switch (config_.hash_policy.kind) {
  case HashPolicy::Kind::kNone:
    break;
  case HashPolicy::Kind::kSourceIp:
    return info_->remote.isIp() ? std::optional(base::xxHash64(info_->remote.ipString()))
                                : std::nullopt;
  case HashPolicy::Kind::kFilterState: {
    const net::FilterState* const state = info_->filter_state.get();
    const auto* const object = state == nullptr ? nullptr : state->find(config_.hash_policy.key);
    return object == nullptr ? std::nullopt : std::optional(base::xxHash64(object->serialize()));
  }
  }
  return std::nullopt;
}

void TcpProxy::connect() {
  net::UpstreamInfo& info = info_->mutableUpstream();
  upstream::ThreadCluster* const cluster = clusters_->find(target_->cluster);
  if (cluster == nullptr) {
    LOG_CONNECTION(debug, filter, connection().id(), "no cluster '%s'", target_->cluster);
    stats_.downstream_cx_no_route.add();
    giveUp(CloseCode::kNoCluster);
    return;
  }
  info.cluster = cluster->description();
  info.connect_start = connection().loop().now();
  auto result =
      tunnels() ? cluster->connectTunnel(
                      *this, *this, config_.tunneling->request(entry(access_log::Type::kNotSet)))
                : cluster->connect(*this, *this);
  if (const auto* failure = std::get_if<ConnectFailure>(&result)) {
    info.attempts += *failure == ConnectFailure::kRefused || *failure == ConnectFailure::kLocal;
    retry(*failure);
    return;
  }
  connecting_ = true;
  upstream_ = std::move(std::get<std::unique_ptr<upstream::Upstream>>(result));
  info.attempts++;
  info.host = upstream_->host();
  info.hosts_attempted.push_back(info.host);
  info.connection_id = upstream_->connection().id();
  // A loopback connect ends with this turn; over a network, while a host makes up its mind about a
  // tunnel, or until it takes another connection, the peer may leave.
  if (downstream_paused_ &&
      (config_.tunneling != nullptr || upstream_->waiting() || !info.host->address.isLoopback())) {
    connection().transport().watchPeer();
  }
}

// Unless a filter before this one is against it.
bool TcpProxy::tunnels() const {
  const net::FilterState::Object* const disabled =
      info_->filter_state == nullptr ? nullptr : info_->filter_state->find(kTcpProxyNoTunnel);
  return config_.tunneling != nullptr && (disabled == nullptr || disabled->serialize() != "true");
}

void TcpProxy::keepAnswer() {
  if (config_.tunneling == nullptr || !config_.tunneling->keepsAnswer()) {
    return;
  }
  if (const std::unique_ptr<upstream::HttpFields> fields = upstream_->tunnelAnswer()) {
    info_->mutableFilterState().set(TunnelAnswer::kKey,
                                    std::make_shared<TunnelAnswer>(std::move(*fields)));
  }
}

void TcpProxy::tellObserver() {
  const auto* const observer =
      config_.tunneling == nullptr || info_->filter_state == nullptr
          ? nullptr
          : info_->filter_state->find<net::TunnelObserver>(net::TunnelObserver::kKey);
  if (observer == nullptr) {
    return;
  }
  if (const std::unique_ptr<upstream::HttpFields> fields = upstream_->tunnelAnswer()) {
    observer->onTunnelOpened(*fields, info_->upstream->tls.get());
  }
}

void TcpProxy::onUpstreamFailed(ConnectFailure failure) {
  net::UpstreamInfo& info = *info_->upstream;
  connecting_ = false;
  info.failure_reason = upstream_->failureReason();
  info.timed_out = failure == ConnectFailure::kTimeout;
  std::string lost = upstream_->tunnelFailure();
  info.tunnel_failure =
      lost.empty() ? nullptr : std::make_unique<const std::string>(std::move(lost));
  keepAnswer();
  LOG_CONNECTION(debug, filter, connection().id(), "attempt %d to reach %s failed: %s",
                 info.attempts, info.host->address.toString(),
                 info.timed_out        ? "connect timeout"
                 : info.tunnel_failure ? *info.tunnel_failure
                                       : info.failure_reason);
  connection().loop().deferDelete(std::move(upstream_));
  retry(failure);
}

// Another attempt where the failure allows one, and the end where not.
void TcpProxy::retry(ConnectFailure failure) {
  const uint32_t attempts = info_->upstream->attempts;
  const bool of_host = failure == ConnectFailure::kRefused || failure == ConnectFailure::kTimeout;
  const bool again = of_host || failure == ConnectFailure::kLocal;
  if (of_host) {
    info_->response_flags |= net::kUpstreamConnectionFailure;
  }
  if (again && attempts < config_.max_connect_attempts) {
    const base::Duration pause = config_.backoff(std::max(attempts + 1, 2u), random());
    rare_timer_ = newTimer(Timer::Callback::to<&TcpProxy::connect>(this), pause);
    return;
  }
  if (again) {
    if (upstream::ThreadCluster* const cluster = clusters_->find(target_->cluster)) {
      cluster->countAttemptsExceeded();
    }
  }
  giveUp(closeCode(failure));
}

void TcpProxy::onUpstreamConnected() {
  net::UpstreamInfo& info = *info_->upstream;
  net::Connection& transport = upstream_->connection();
  connecting_ = false;
  connected_ = true;
  info.connect_end = connection().loop().now();
  info.tls = transport.io().tlsInfo();
  keepAnswer();
  tellObserver();
  if (const net::Address* const reached = transport.io().reached()) {
    info.reached = std::make_unique<const net::Address>(*reached);
  }
  if (info_->logged || !config_.access_logs.empty()) {
    info.local = transport.io().localAddress();
  }
  LOG_CONNECTION(debug, filter, connection().id(),
                 "Attached upstream connection [C%d] to downstream connection", transport.id());
  startTimers();
  if (config_.log_when_connected) {
    log(access_log::Type::kTcpUpstreamConnected);
  }
  if (!config_.check_drain_close) {
    connection().setDirectSink(&transport,
                               base::Delegate<void(size_t)>::to<&TcpProxy::countReceived>(this));
  }
  sendEarly();
  if (upstream_ != nullptr) {
    transport.resumeReading(); // Undoes the pause that a connection begins with.
  }
  if (std::exchange(downstream_paused_, false)) {
    connection().resumeReading();
  }
}

Next TcpProxy::onData(Buffer& data, bool end) {
  countReceived(data.size());
  const bool last = drains(); // Known before anybody can have seen them.
  if (connected_ && upstream_ != nullptr) {
    upstream_->connection().write(data, end);
  } else {
    keepEarly(data, end);
  }
  if (last) {
    endDrained();
  }
  return Next::kContinue;
}

void TcpProxy::keepEarly(Buffer& data, bool end) {
  if (early_ == nullptr) {
    early_ = std::make_unique<Buffer>();
    stats_.early_data_received_count_total.add();
  }
  early_->append(data);
  early_end_ |= end;
  if (early_->size() >= config_.max_early_data_bytes.value_or(0) && !downstream_paused_) {
    downstream_paused_ = true;
    connection().pauseReading();
  }
  if (!connecting_ && upstream_ == nullptr && rare_timer_ == nullptr && !closing_) {
    connect();
  }
}

void TcpProxy::sendEarly() {
  if (early_ != nullptr) {
    const std::unique_ptr<Buffer> early = std::move(early_);
    upstream_->connection().write(*early, early_end_);
  }
}

void TcpProxy::onUpstreamData(Buffer& data, bool end) {
  const bool last = drains();
  connection().write(data, end);
  countSent();
  if (last) {
    endDrained();
  }
}

// With check_drain_close a session ends after some bytes of it, if its listener drains.
void TcpProxy::endDrained() {
  if (!closing_) {
    stats_.downstream_cx_drain_close.add();
    connection().close(CloseReason::of(CloseCode::kDrainAsked), CloseMode::kFlush);
  }
}

// The upstream host takes bytes slower than the peer sends them.
void TcpProxy::onUpstreamWriteBlocked(bool blocked) {
  if (blocked) {
    stats_.downstream_flow_control_paused_reading_total.add();
    connection().pauseReading();
  } else {
    stats_.downstream_flow_control_resumed_reading_total.add();
    connection().resumeReading();
  }
}

// The peer takes bytes slower than the upstream host sends them.
void TcpProxy::onWriteBlocked(bool blocked) {
  stats_.downstream_cx_tx_bytes_buffered.sub(counted_unsent_bytes_);
  counted_unsent_bytes_ = blocked ? connection().transport().unsentBytes() : 0;
  stats_.downstream_cx_tx_bytes_buffered.add(counted_unsent_bytes_);
  countSent();
  if (upstream_ == nullptr || !connected_) {
    return;
  }
  if (blocked) {
    upstream_->pauseReading();
  } else {
    upstream_->resumeReading();
  }
}

net::Connection* TcpProxy::upstreamDirectSink() {
  return connection().writesAreSeen() || config_.check_drain_close ? nullptr
                                                                   : &connection().transport();
}

void TcpProxy::onUpstreamClosed(const CloseReason& reason) {
  if (closing_) {
    return;
  }
  recordUpstreamEnd();
  if (reason.code == CloseCode::kUpstreamClosed) { // Also where a tunnel went with what carried it.
    info_->upstream->detected_close = net::DetectedClose::kNormal;
  }
  connection().setDirectSink(nullptr, {});
  connection().loop().deferDelete(std::move(upstream_));
  // A reset stays a reset. Otherwise what is still unsent to the peer leaves first.
  const bool reset = reason.code == CloseCode::kUpstreamReset;
  connection().close(reason, reset ? CloseMode::kReset : CloseMode::kFlush);
}

void TcpProxy::onClose(const CloseReason& reason) {
  closing_ = true;
  info_ = &connection().info(); // Also what was refused before onOpen is logged.
  // What a filter before this one kept for itself was received all the same.
  stats_.downstream_cx_rx_bytes_total.add(std::max(info_->bytes_received, counted_received_bytes_) -
                                          counted_received_bytes_);
  countSent();
  idle_timer_.reset();
  rare_timer_.reset();
  duration_timer_.reset();
  stats_.downstream_cx_tx_bytes_buffered.sub(std::exchange(counted_unsent_bytes_, 0));
  if (upstream_ != nullptr) {
    releaseUpstream(reason);
  }
}

// The downstream connection is over: so is the other, unless it still has to be sent something.
void TcpProxy::releaseUpstream(const CloseReason& reason) {
  if (!connected_) {
    upstream_.reset(); // None of its callbacks is on the stack.
    return;
  }
  recordUpstreamEnd(); // As it was: the log tells nothing of what is done to it from here on.
  net::Connection& transport = upstream_->connection();
  if (reason.code == CloseCode::kPeerReset) {
    transport.close(CloseMode::kReset, CloseReason::of(CloseCode::kDownstreamGone));
  } else if (transport.unsentBytes() > 0 && reason.remote()) {
    upstream::Upstream& upstream = *upstream_;
    if (!upstream.flushAndForget(std::move(upstream_), idleTimeout().value_or(kFlushIdle),
                                 config_.countFlush())) {
      stats_.upstream_flush_overflow.add();
      info_->upstream->local_close_reason = upstream::kFlushOverflow;
    }
    return;
  } else {
    info_->upstream->local_close_reason = reason.localCloseReason();
    transport.close(CloseMode::kNow, CloseReason::of(CloseCode::kDownstreamGone));
  }
  connection().loop().deferDelete(std::move(upstream_));
}

void TcpProxy::recordUpstreamEnd() {
  net::UpstreamInfo& info = *info_->upstream;
  info.bytes_received = upstream_->connection().bytesReceived();
  info.bytes_sent = upstream_->connection().bytesSent();
  info.detected_close = upstream_->connection().detectedClose();
}

// What a filter before this one set for the connection, else what is configured.
std::optional<base::Duration> TcpProxy::idleTimeout() const {
  const auto* const own = info_->filter_state == nullptr
                              ? nullptr
                              : info_->filter_state->find<net::NumberState>(kTcpProxyIdleTimeout);
  if (own == nullptr) {
    return config_.idle_timeout;
  }
  const std::chrono::milliseconds longest(std::chrono::hours(24 * 365 * 100));
  const auto limited = std::min<uint64_t>(own->value(), longest.count());
  return own->value() == 0 ? std::nullopt
                           : std::optional<base::Duration>(std::chrono::milliseconds(limited));
}

void TcpProxy::startTimers() {
  last_activity_ = connection().loop().now();
  rare_timer_.reset();
  if (const auto idle = idleTimeout()) {
    idle_timer_ = newTimer(Timer::Callback::to<&TcpProxy::onIdle>(this), *idle);
  }
  if (config_.log_flush_interval.has_value()) {
    rare_timer_ =
        newTimer(Timer::Callback::to<&TcpProxy::onLogInterval>(this), *config_.log_flush_interval);
  }
}

// The timer is not moved with each byte: when it fires it waits on for what is left.
void TcpProxy::onIdle() {
  const base::Duration idle = connection().loop().clock().now() - last_activity_;
  if (const base::Duration limit = idleTimeout().value_or(idle); idle < limit) {
    idle_timer_->arm(limit - idle);
    return;
  }
  LOG_CONNECTION(debug, filter, connection().id(), "Session timed out");
  stats_.idle_timeout.add();
  connection().close(CloseReason::of(CloseCode::kIdleTimeout), CloseMode::kNow);
}

void TcpProxy::onMaxDuration() {
  stats_.max_downstream_connection_duration.add();
  connection().close(CloseReason::of(CloseCode::kMaxDuration), CloseMode::kNow);
}

void TcpProxy::onLogInterval() {
  log(access_log::Type::kTcpPeriodic);
  rare_timer_->arm(*config_.log_flush_interval);
}

void TcpProxy::log(access_log::Type type) {
  if (config_.access_logs.empty()) {
    return;
  }
  if (type != access_log::Type::kTcpConnectionEnd) { // At the end they are recorded already.
    info_->bytes_received = connection().transport().bytesReceived();
    info_->bytes_sent = connection().transport().bytesSent();
  }
  const access_log::Entry line = entry(type);
  for (const auto& logger : config_.access_logs) {
    logger->log(line);
  }
}

access_log::Entry TcpProxy::entry(access_log::Type type) {
  const base::Clock& clock = connection().loop().clock();
  return {*info_, type, clock.now(), clock.wallNow()};
}

} // namespace
} // namespace tcp_proxy

CULVERT_NETWORK_FILTER(tcp_proxy, envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy,
                       tcp_proxy::TcpProxy, tcp_proxy::Config::create)

} // namespace culvert
