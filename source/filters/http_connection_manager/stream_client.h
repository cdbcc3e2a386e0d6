// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "source/filters/http_connection_manager/client.h"
#include "source/hbone/http2_stream_io.h"
#include "source/net/connection.h"

namespace culvert::http_connection_manager {

// One stream of an HTTP/2 connection. Threads: the worker's. Lifetime: as Client.
class StreamClient final : public Client, private net::ConnectionHandler {
public:
  StreamClient(event::Loop& loop, std::unique_ptr<hbone::Http2StreamIo> stream, uint64_t id);

  void attach(Tunnel& tunnel) override;
  bool ended() const override { return stream_.ended(); }
  void accept(const hbone::Http2Fields& fields) override { stream_.respond(200, fields); }
  void refuse(uint32_t status, const hbone::Http2Fields& fields, std::string body,
              bool host_failed) override;
  void write(net::Buffer& data, bool end) override { connection_.write(data, end); }
  void pauseReading() override { connection_.pauseReading(); }
  void resumeReading() override { connection_.resumeReading(); }
  void close(net::CloseMode mode) override;
  void timeOut() override;

private:
  void onData(net::Buffer& data, bool end) override;
  void onWriteBlocked(bool blocked) override;
  void onClosed(const net::CloseReason& reason) override;

  hbone::Http2StreamIo& stream_; // The connection's.
  net::Connection connection_;
  Tunnel* tunnel_ = nullptr;
};

} // namespace culvert::http_connection_manager
