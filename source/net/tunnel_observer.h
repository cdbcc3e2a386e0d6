// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "source/net/connection_info.h"
#include "source/net/request_info.h"
#include "source/net/tls_info.h"

namespace culvert::net {

// In the filter state of a downstream connection: wants to know who is at the other end of the
// tunnel that tcp_proxy asks for. Threads: the connection's worker.
class TunnelObserver : public FilterState::Object {
public:
  static constexpr absl::string_view kKey = "culvert.tunnel_observer";

  // It is open. `answer`: the headers that came with it; `tls`: of the connection that carries it,
  // null where there is none.
  virtual void onTunnelOpened(const RequestInfo::Fields& answer, const TlsInfo* tls) const = 0;

  std::string serialize() const override { return {}; }
};

} // namespace culvert::net
