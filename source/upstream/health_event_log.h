// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "source/access_log/log_file.h"
#include "source/base/clock.h"
#include "source/upstream/host.h"

namespace culvert::upstream {

// Writes what becomes of hosts as lines of JSON, envoy.data.core.v3.HealthCheckEvent.
// Threads: main.
class HealthEventLog {
public:
  using Files = std::vector<std::shared_ptr<access_log::LogFile>>;
  enum class Failure : uint8_t { kActive, kNetwork, kTimeout };

  // `checker`: as protocolName() says it. Without files it does nothing.
  HealthEventLog(const base::Clock& clock, Files files, std::string checker, std::string cluster);

  void addHealthy(const Host& host, bool first_check);
  void ejectUnhealthy(const Host& host, Failure failure, uint32_t http_status);
  void failure(const Host& host, Failure failure, bool first_check, uint32_t http_status);
  void degraded(const Host& host, bool now);
  void success(const Host& host);

private:
  struct Event;
  void write(const Host& host, const Event& event);

  const base::Clock* clock_;
  Files files_;
  std::string checker_;
  std::string cluster_;
};

} // namespace culvert::upstream
