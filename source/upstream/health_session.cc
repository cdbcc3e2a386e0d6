// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/health_session.h"

#include <utility>

#include "source/base/log.h"
#include "source/upstream/health_checker.h"
#include "source/upstream/upstream.h"

namespace culvert::upstream {
namespace {

// Where checks of a host go.
net::HostDescription whereToCheck(const Host& host, uint16_t alt_port) {
  net::HostDescription description = *host.description();
  const HealthCheckTarget* const target = host.healthTarget();
  if (target != nullptr && target->address.kind() != net::Address::Kind::kNone) {
    description.address = target->address;
  } else if (target != nullptr && target->port > 0) {
    description.address = description.address.withPort(target->port);
  }
  if (alt_port > 0 && description.address.isIp()) {
    description.address = description.address.withPort(alt_port);
  }
  return description;
}

std::unique_ptr<HealthProbe> makeProbe(const HealthCheckConfig& config, const Host& host,
                                       const std::string& cluster) {
  const HealthCheckTarget* const target = host.healthTarget();
  const auto authority = [&](const std::string& configured) -> const std::string& {
    const bool named = target != nullptr && !target->hostname.empty();
    return named ? target->hostname : configured.empty() ? cluster : configured;
  };
  switch (config.protocol) {
  case HealthProtocol::kTcp:
    break;
  case HealthProtocol::kHttp:
    return makeHttpProbe(config.http, authority(config.http.host));
  case HealthProtocol::kGrpc:
    return makeGrpcProbe(config.grpc, authority(config.grpc.authority));
  }
  return makeTcpProbe(config);
}

} // namespace

HealthSession::HealthSession(HealthChecker& owner, HostPtr host)
    : owner_(owner), host_(std::move(host)),
      probe_(makeProbe(owner.config(), *host_, owner.info().config.name)),
      interval_timer_(owner.loop(), event::Timer::Callback::to<&HealthSession::begin>(this)),
      timeout_timer_(owner.loop(), event::Timer::Callback::to<&HealthSession::onTimeout>(this)) {}

HealthSession::~HealthSession() = default;

void HealthSession::start() {
  if (owner_.config().initial_jitter > base::Duration::zero()) {
    interval_timer_.arm(owner_.initialDelay());
  } else {
    begin();
  }
}

void HealthSession::stop() {
  stopped_ = true;
  checking_ = false;
  interval_timer_.disarm();
  timeout_timer_.disarm();
  dropConnection();
}

void HealthSession::begin() {
  checking_ = true;
  owner_.stats().attempt.add();
  timeout_timer_.arm(owner_.config().timeout);
  if (connection_ == nullptr) {
    connect();
  } else {
    send();
  }
}

void HealthSession::connect() {
  const ClusterInfo& info = owner_.info();
  const LoadBalancerContext context;
  absl::StatusOr<std::unique_ptr<net::Io>> io = info.transport->connect(
      owner_.loop(), whereToCheck(*host_, owner_.config().alt_port), info.config.connect, context);
  connection_ = std::make_unique<net::Connection>(
      owner_.loop(),
      io.ok() ? *std::move(io)
              : makeBrokenTransport(owner_.loop(), std::string(io.status().message())),
      net::nextConnectionId(), true);
  connection_->start(*this);
}

void HealthSession::onConnected() {
  probe_->connected();
  if (probe_->connectOnly()) {
    dropConnection();
    judge(HealthProbe::Verdict::kPass);
    return;
  }
  connection_->resumeReading();
  send();
}

void HealthSession::send() { write(probe_->begin()); }

void HealthSession::onData(net::Buffer& data, bool end) {
  const std::string bytes = data.toString();
  const bool was_checking = checking_;
  auto verdict = HealthProbe::Verdict::kMore;
  if (was_checking) {
    verdict = probe_->take(bytes, end);
  } else if (!probe_->takeUnasked(bytes)) {
    verdict = HealthProbe::Verdict::kBroken;
  }
  if (end || verdict == HealthProbe::Verdict::kBroken) {
    dropConnection();
  } else if (const std::string reply = probe_->reply(); !reply.empty()) {
    write(reply);
  }
  if (was_checking) {
    judge(verdict);
  } else if (end && probe_->needsConnection()) {
    fail(Failure::kNetwork, false);
  }
}

void HealthSession::write(absl::string_view bytes) {
  net::Buffer buffer = net::Buffer::borrow(bytes);
  connection_->write(buffer, false);
}

// It ended without our doing: nothing answers there.
void HealthSession::onClosed(const net::CloseReason&) {
  if (connection_ == nullptr) {
    return;
  }
  LOG(debug, hc, "connection of a check to %s ended: %s", host_->address().toString(),
      connection_->io().failureReason());
  owner_.loop().deferDelete(std::move(connection_));
  if (checking_ || probe_->needsConnection()) {
    fail(Failure::kNetwork, false);
  }
}

void HealthSession::onTimeout() {
  dropConnection();
  fail(Failure::kTimeout, false);
}

void HealthSession::judge(HealthProbe::Verdict verdict) {
  using Verdict = HealthProbe::Verdict;
  if (verdict == Verdict::kMore) {
    return;
  }
  if (!owner_.config().reuse_connection || !probe_->reusable()) {
    dropConnection();
  }
  switch (verdict) {
  case Verdict::kPass:
  case Verdict::kDegraded:
    succeed(verdict == Verdict::kDegraded);
    break;
  case Verdict::kRefused:
    fail(Failure::kRefused, true);
    break;
  case Verdict::kRetry:
    fail(Failure::kRefused, false);
    break;
  default:
    fail(Failure::kNetwork, false);
  }
}

void HealthSession::succeed(bool degraded) {
  failures_ = 0;
  bool changed = false;
  bool pending = false;
  if (!healthy()) {
    passes_++;
    changed = first_ || passes_ >= owner_.config().healthy_threshold;
    pending = !changed;
  }
  if (changed) {
    passes_ = 0;
    host_->setFlag(kFailedActiveHc, false);
    host_->setHealthySince(owner_.loop().now());
    host_->setFlag(kActiveHcTimeout, false);
    owner_.events().addHealthy(*host_, first_);
  }
  if (degraded != ((host_->healthFlags() & kDegradedActiveHc) != 0)) {
    changed = true;
    host_->setFlag(kDegradedActiveHc, degraded);
    owner_.events().degraded(*host_, degraded);
  }
  if (owner_.config().always_log_success) {
    owner_.events().success(*host_);
  }
  owner_.stats().success.add();
  finish(true, changed, pending);
}

// Whether that makes the host unhealthy.
bool HealthSession::countFailure(bool at_once) {
  passes_ = 0;
  failures_++;
  if (!at_once && failures_ < owner_.config().unhealthy_threshold) {
    return false;
  }
  failures_ = 0;
  host_->setFlag(kFailedActiveHc, true);
  return true;
}

void HealthSession::fail(Failure failure, bool at_once) {
  using Type = HealthEventLog::Failure;
  const Type type = failure == Failure::kRefused   ? Type::kActive
                    : failure == Failure::kTimeout ? Type::kTimeout
                                                   : Type::kNetwork;
  const uint32_t status = failure == Failure::kRefused ? probe_->status() : 0;
  const bool was_healthy = healthy();
  const bool changed = was_healthy && countFailure(at_once);
  if (changed) {
    owner_.events().ejectUnhealthy(*host_, type, status);
  } else if (!was_healthy) {
    passes_ = 0;
  }
  if (!healthy()) {
    host_->setFlag(kActiveHcTimeout, failure == Failure::kTimeout);
  }
  if (first_ || owner_.config().always_log_failures) {
    owner_.events().failure(*host_, type, first_, status);
  }
  owner_.stats().failure.add();
  if (failure != Failure::kRefused) {
    owner_.stats().network_failure.add();
  }
  finish(false, changed, was_healthy && !changed);
}

void HealthSession::finish(bool passed, bool changed, bool pending) {
  const bool was_pending = (host_->healthFlags() & kPendingActiveHc) != 0;
  host_->setFlag(kPendingActiveHc, false);
  checking_ = false;
  first_ = false;
  timeout_timer_.disarm();
  LOG(debug, hc, "host %s of cluster '%s' %s its check", host_->address().toString(),
      owner_.info().config.name, passed ? "passed" : "failed");
  owner_.onChecked(*this, changed || was_pending);
  if (!stopped_) {
    interval_timer_.arm(owner_.nextDelay(passed, pending));
  }
}

void HealthSession::dropConnection() {
  if (connection_ == nullptr) {
    return;
  }
  std::unique_ptr<net::Connection> dropped = std::move(connection_);
  dropped->close(net::CloseMode::kNow, net::CloseReason::of(net::CloseCode::kDownstreamGone));
  owner_.loop().deferDelete(std::move(dropped));
}

} // namespace culvert::upstream
