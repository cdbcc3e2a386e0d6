// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "source/base/delegate.h"
#include "source/event/fd_events.h"
#include "source/net/address.h"
#include "source/net/buffer.h"
#include "source/net/tls_info.h"

namespace culvert::net {

enum class IoStatus : uint8_t {
  kOk,    // Done for now; readiness will be reported when there is more to do.
  kMore,  // As kOk, but the caller must come again by itself: bytes wait above the descriptor.
  kEnd,   // The peer's end of stream (FIN, close_notify, END_STREAM). Reading only.
  kReset, // The peer reset, or the transport is beyond use.
};

struct IoResult {
  IoStatus status;
  size_t bytes = 0;
};

// A transport socket: what a Connection reads bytes from and writes them to. A plain TCP or unix
// socket, TLS over one, or one CONNECT stream of a tunnel: all keep this contract. Never blocks.
//
// Threads: the connection's loop. Lifetime: owned by its Connection.
class Io {
public:
  using ReadyCallback = base::Delegate<void(uint32_t readiness)>; // Of event::Readiness.

  virtual ~Io() = default;

  // Where readiness is reported from now on.
  virtual void setReadyCallback(ReadyCallback callback) = 0;
  // What to report. Writable readiness also ends the opening.
  virtual void setRead(event::FdEvents::ReadInterest interest) = 0;
  virtual void setWrite(bool wanted) = 0;
  virtual void activate(uint32_t readiness) = 0;

  // Makes progress with connecting and shaking hands: kMore as long as that is under way, kOk once
  // bytes may flow, kReset when it failed (failureReason() says why).
  virtual IoResult open() = 0;
  virtual IoResult read(absl::Span<char> into) = 0;
  // As read() into `scratch`, which `data` then shows; but bytes that are in memory anyway may be
  // handed over instead of copied.
  virtual IoResult take(absl::Span<char> scratch, Buffer& data) {
    const IoResult result = read(scratch);
    data = Buffer::borrow({scratch.data(), result.bytes});
    return result;
  }
  virtual IoResult write(absl::Span<const iovec> pieces) = 0;
  // Our end of stream, after everything written.
  virtual void shutdownWrite() = 0;
  // Ends it; with `reset` so that the peer sees a reset instead of an end.
  virtual void close(bool reset) = 0;

  // Whether the peer has reset, asked without reading.
  virtual bool peerReset() = 0;

  // The descriptor whose bytes are the connection's bytes, for splice; -1 where there is none.
  virtual int plainFd() const { return -1; }
  // Why open() or the transport failed, for people and %…_TRANSPORT_FAILURE_REASON%.
  virtual std::string failureReason() const { return {}; }
  virtual Address localAddress() const = 0;
  // Which of several addresses it is open to; null where there was only one to try.
  virtual const Address* reached() const { return nullptr; }
  // What TLS knows of the peer; null where there is no TLS.
  virtual std::shared_ptr<const TlsInfo> tlsInfo() const { return nullptr; }
};

// A transport that was accepted and can be looked at before anything of it is read.
class AcceptedIo : public Io {
public:
  // As read(), but the bytes stay.
  virtual IoResult peek(absl::Span<char> into) = 0;
  // Whether the peer sends no more, though what it sent may not have been read yet.
  virtual bool peerEnded() const = 0;
};

} // namespace culvert::net
