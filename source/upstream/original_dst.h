// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/upstream/host_source.h"

namespace culvert::upstream {

// Where an ORIGINAL_DST cluster goes, and how long it remembers.
struct OriginalDstConfig {
  base::Duration cleanup_interval = std::chrono::seconds(5);
  std::optional<uint16_t> port; // Instead of the address's own.
  // Where the connection's dynamic metadata may have an address that comes first; an empty path:
  // nowhere.
  std::string metadata_filter;
  std::vector<std::string> metadata_path;
};

// ORIGINAL_DST: a connection goes where it was meant to go before it was redirected here, or where
// filters say (filter state envoy.network.transport_socket.original_dst_address, metadata). Each
// such address is a host from the first connection on, until a whole cleanup_interval went by
// without one.
std::unique_ptr<HostSource> makeOriginalDst(HostSourceContext& context, OriginalDstConfig config);

} // namespace culvert::upstream
