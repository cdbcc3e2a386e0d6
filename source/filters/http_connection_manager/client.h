// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "source/hbone/http2_headers.h"
#include "source/net/buffer.h"
#include "source/net/close_reason.h"
#include "source/net/connection.h"

namespace culvert::http_connection_manager {

class Tunnel;

// Who asked for a tunnel, and the tunnel's near end: a stream, or the whole of a connection.
// Threads: the worker's. Lifetime: owned by its tunnel, which it tells what it hears.
class Client {
public:
  virtual ~Client() = default;

  // From here on `tunnel` hears of it.
  virtual void attach(Tunnel& tunnel) = 0;
  // The client sends no more, though what it sent may not have been read yet.
  virtual bool ended() const = 0;

  // Answers; bytes may flow.
  virtual void accept(const hbone::Http2Fields& fields) = 0;
  // Answers, and that is all there is to say; `host_failed`: because there is no way to the host.
  // It is closed then.
  virtual void refuse(uint32_t status, const hbone::Http2Fields& fields, std::string body,
                      bool host_failed) = 0;

  virtual void write(net::Buffer& data, bool end) = 0;
  virtual void pauseReading() = 0;
  virtual void resumeReading() = 0;
  // kFlush: what was written arrives, and the end. kReset: because of what happened upstream.
  virtual void close(net::CloseMode mode) = 0;
  // A reset because of a time that went by.
  virtual void timeOut() = 0;
};

} // namespace culvert::http_connection_manager
