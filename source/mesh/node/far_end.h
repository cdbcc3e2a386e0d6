// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>

#include "source/event/loop.h"
#include "source/mesh/node/connection_record.h"
#include "source/mesh/node/traffic.h"
#include "source/net/tunnel_observer.h"

namespace culvert::mesh {

// Who is at the far end of a connection that crosses to another network is known from what that one
// says and shows (mesh-data-plane 3.9): puts it into the record, where the gateway was, and counts
// the connection as opened. Threads: the connection's worker.
class FarEnd final : public net::TunnelObserver {
public:
  // `info`: the connection's, in whose filter state this is.
  FarEnd(std::shared_ptr<ConnectionRecord> record, Traffic& traffic, event::Loop& loop,
         const net::ConnectionInfo& info)
      : record_(std::move(record)), traffic_(traffic), loop_(loop), info_(info) {}

  void onTunnelOpened(const net::RequestInfo::Fields& answer,
                      const net::TlsInfo* tls) const override;

private:
  const std::shared_ptr<ConnectionRecord> record_;
  Traffic& traffic_;
  event::Loop& loop_;
  const net::ConnectionInfo& info_;
};

} // namespace culvert::mesh
