// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "source/upstream/health_check.h"

namespace culvert::upstream {

// What one health check says and what it wants to hear. Threads: main.
class HealthProbe {
public:
  enum class Verdict : uint8_t {
    kMore,     // Not yet known.
    kPass,     // Healthy,
    kDegraded, // or only just.
    kRefused,  // The host itself says that it is not fit.
    kRetry,    // So too, but not for good.
    kBroken,   // That is no answer.
  };

  virtual ~HealthProbe() = default;
  // A new connection was made: nothing was said on it yet.
  virtual void connected() {}
  // Begins a check: what to send.
  virtual std::string begin() = 0;
  // Takes bytes of the answer; `end`: there will be no more of them.
  virtual Verdict take(absl::string_view bytes, bool end) = 0;
  // Takes bytes that come between two checks. False: the connection is of no use any more.
  virtual bool takeUnasked(absl::string_view) { return true; }
  // What those bytes, of either kind, oblige us to say.
  virtual std::string reply() { return {}; }
  // Of the last answer: an HTTP status, or 0.
  virtual uint32_t status() const { return 0; }
  // Whether the next check may use the same connection.
  virtual bool reusable() const { return true; }
  // Whether a host fails that ends the connection between two checks.
  virtual bool needsConnection() const { return true; }
  virtual bool connectOnly() const { return false; }
};

// Lifetime: `config` outlives the probe.
std::unique_ptr<HealthProbe> makeTcpProbe(const HealthCheckConfig& config);
// `authority` is the request's host header. HTTP/1.1 or HTTP/2.
std::unique_ptr<HealthProbe> makeHttpProbe(const HttpCheckConfig& config,
                                           absl::string_view authority);
std::unique_ptr<HealthProbe> makeGrpcProbe(const GrpcCheckConfig& config,
                                           absl::string_view authority);

// What a status of HTTP says of the host.
HealthProbe::Verdict judgeStatus(const HttpCheckConfig& config, uint32_t status, bool degraded);

} // namespace culvert::upstream
