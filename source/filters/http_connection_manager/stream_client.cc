// SPDX-License-Identifier: Apache-2.0
#include "source/filters/http_connection_manager/stream_client.h"

#include <utility>

#include "source/filters/http_connection_manager/tunnel.h"

namespace culvert::http_connection_manager {
namespace {

// RFC 9113, section 7.
constexpr uint32_t kInternalError = 2;
constexpr uint32_t kConnectError = 10;

} // namespace

StreamClient::StreamClient(event::Loop& loop, std::unique_ptr<hbone::Http2StreamIo> stream,
                           uint64_t id)
    : stream_(*stream), connection_(loop, std::move(stream), id, false) {}

// A reset is noticed also while nobody reads.
void StreamClient::attach(Tunnel& tunnel) {
  tunnel_ = &tunnel;
  connection_.start(*this);
  connection_.watchPeer();
}

void StreamClient::refuse(uint32_t status, const hbone::Http2Fields& fields, std::string body,
                          bool host_failed) {
  if (host_failed) {
    stream_.resetAs(kConnectError);
  }
  stream_.respondAndEnd(status, fields, std::move(body));
  close(net::CloseMode::kNow);
}

void StreamClient::close(net::CloseMode mode) {
  connection_.close(mode, net::CloseReason::of(net::CloseCode::kUpstreamGone));
}

void StreamClient::timeOut() {
  stream_.resetAs(kInternalError);
  connection_.close(net::CloseMode::kReset, net::CloseReason::of(net::CloseCode::kIdleTimeout));
}

void StreamClient::onData(net::Buffer& data, bool end) { tunnel_->onClientData(data, end); }

void StreamClient::onWriteBlocked(bool blocked) { tunnel_->onClientBlocked(blocked); }

void StreamClient::onClosed(const net::CloseReason& reason) { tunnel_->onClientClosed(reason); }

} // namespace culvert::http_connection_manager
