// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "source/mesh/node/connection_record.h"
#include "source/net/connection_info.h"

namespace culvert::mesh {

// Why its upstream connection came to nothing. Nothing: it did not.
// Threads: any.
std::optional<ConnectFailure> connectFailureOf(const net::ConnectionInfo& info);

// How a connection went, as logs and metrics of a mesh say it.
// Threads: any.
struct Outcome {
  std::string error;            // "": all went well.
  absl::string_view flag = "-"; // "DENY", "CONNECT", "NETWORK_POLICY", "IDENTITY_ERROR",
                                // "CERT_REVOKED"

  // Of a connection that is over, or about to be.
  static Outcome of(const net::ConnectionInfo& info, const ConnectionRecord& record);
};

} // namespace culvert::mesh
