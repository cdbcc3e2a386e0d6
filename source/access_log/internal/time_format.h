// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "source/base/clock.h"

namespace culvert::access_log::internal {

// A strftime format with seconds since the epoch (%s) and parts of a second: %f %1f..%9f %*f,
// %E3S, %E*S, %E3f. Empty: 2026-11-21T02:22:36.907Z, or with the zone's offset instead of Z.
// Threads: any, once created.
class TimeFormat {
public:
  enum class Zone : uint8_t { kUtc, kLocal };

  // Errors: a format that makes a line break.
  static absl::StatusOr<std::shared_ptr<const TimeFormat>> create(absl::string_view format,
                                                                  Zone zone);

  void append(base::WallTime time, std::string& out) const;

private:
  struct Part {
    enum class Kind : uint8_t { kFormat, kEpochSeconds, kFraction, kDotFraction };
    Kind kind;
    int width = 0; // Digits of a fraction; 0: as many as are not zeros.
    std::string format;
  };

  TimeFormat(absl::string_view format, Zone zone);
  size_t addSpecial(absl::string_view rest, std::string& before);
  void appendDefault(base::WallTime time, std::string& out) const;

  const Zone zone_;
  std::vector<Part> parts_;
};

} // namespace culvert::access_log::internal
