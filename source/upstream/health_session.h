// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "source/event/timer_heap.h"
#include "source/net/connection.h"
#include "source/upstream/health_probe.h"
#include "source/upstream/host.h"

namespace culvert::upstream {

class HealthChecker;

// Checks one host again and again, and sets its health flags by Envoy's rules: the first check
// decides at once, later ones when the threshold is reached; what a host says of itself counts at
// once too.
// Threads: main. Lifetime: the checker's; after stop() until the end of the turn.
class HealthSession final : public event::Deferred, private net::ConnectionHandler {
public:
  HealthSession(HealthChecker& owner, HostPtr host);
  ~HealthSession() override;

  void start();
  void stop();
  const HostPtr& host() const { return host_; }
  bool healthy() const { return (host_->healthFlags() & kFailedActiveHc) == 0; }

private:
  enum class Failure : uint8_t { kRefused, kNetwork, kTimeout };

  void onConnected() override;
  void onData(net::Buffer& data, bool end) override;
  void onWriteBlocked(bool) override {}
  void onClosed(const net::CloseReason& reason) override;

  void begin();
  void connect();
  void send();
  void write(absl::string_view bytes);
  void onTimeout();
  void judge(HealthProbe::Verdict verdict);
  void succeed(bool degraded);
  void fail(Failure failure, bool at_once);
  bool countFailure(bool at_once);
  void finish(bool passed, bool changed, bool pending);
  void dropConnection();

  HealthChecker& owner_;
  const HostPtr host_;
  const std::unique_ptr<HealthProbe> probe_;
  event::Timer interval_timer_;
  event::Timer timeout_timer_;
  std::unique_ptr<net::Connection> connection_; // Kept for the next check if it may be.
  uint32_t passes_ = 0;                         // In a row, while unhealthy,
  uint32_t failures_ = 0;                       // and while healthy.
  bool first_ = true;
  bool checking_ = false; // A check is under way.
  bool stopped_ = false;
};

} // namespace culvert::upstream
