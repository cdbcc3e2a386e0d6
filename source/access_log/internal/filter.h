// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "source/access_log/access_log.h"

namespace envoy::config::accesslog::v3 {
class AccessLogFilter;
}

namespace culvert::access_log::internal {

// Decides which entries are written: an AccessLogFilter. Of what only HTTP has it sees what Envoy's
// sees for a TCP session: response code 0, no headers, an unknown gRPC status, no trace.
// Threads: built on main, then any.
class EntryFilter {
public:
  using Ptr = std::unique_ptr<const EntryFilter>;

  virtual ~EntryFilter() = default;
  virtual bool passes(const Entry& entry) const = 0;

  // Errors: begin with the path of the field inside the filter.
  static absl::StatusOr<Ptr> create(const envoy::config::accesslog::v3::AccessLogFilter& config,
                                    const WatchRuntime& watch_runtime);
};

} // namespace culvert::access_log::internal
