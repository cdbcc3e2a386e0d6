// SPDX-License-Identifier: Apache-2.0
#pragma once

// Everything that the author of a network filter needs: this header and his own config message.
//
// A filter is a class derived from Filter. One object is made for each downstream connection whose
// chain names it, on the worker that accepted the connection; it lives and dies there, so it needs
// no locks. The last filter of a chain is terminal (tcp_proxy, echo, ...): it does something with
// the bytes; the ones before it look, change, delay or refuse.

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "source/event/loop.h"
#include "source/net/buffer.h"
#include "source/net/close_reason.h"
#include "source/net/connection.h"
#include "source/net/connection_info.h"
#include "source/stats/stat.h"

namespace culvert::upstream {
class ThreadClusters;
}

namespace culvert {

using net::Buffer;
using net::CloseCode;
using net::CloseMode;
using net::CloseReason;
using net::ConnectionInfo;
using stats::Counter;
using stats::Gauge;
using stats::Histogram;

class Session;

// What a filter answers.
enum class Next : uint8_t {
  kContinue, // Go on with the next filter.
  kStop,     // Not yet, or never: resume() goes on, close() ends it.
};

// The downstream connection as its filters see it.
// Threads: the connection's worker. Lifetime: outlives its filters.
class Connection {
public:
  // Sends bytes to the peer, through the onWrite of the chain's filters, last to first. Takes all
  // of `data`. `end` half-closes after them.
  virtual void write(Buffer& data, bool end) = 0;
  void write(absl::string_view bytes) {
    Buffer data = Buffer::borrow(bytes);
    write(data, false);
  }

  // Ends the connection: after everything written has left (kFlush), at once, or with a reset.
  // Returns kStop, so that a verb can end with `return connection().close(...)`.
  virtual Next close(const CloseReason& reason, CloseMode mode = CloseMode::kFlush) = 0;

  // Stops and restarts reading from the peer; counted, so pair them.
  virtual void pauseReading() = 0;
  virtual void resumeReading() = 0;

  // Who it is from and where it goes, and the place where filters leave state for one another.
  // What is written here appears in the access log.
  virtual ConnectionInfo& info() = 0;

  // For terminal filters that relay: the transport itself; whether some filter before wants to see
  // what is written; where what is read goes unchanged (see net::ConnectionHandler::directSink).
  virtual net::Connection& transport() = 0;
  virtual bool writesAreSeen() const = 0;
  virtual void setDirectSink(net::Connection* sink, base::Delegate<void(size_t)> moved) = 0;

  event::Loop& loop() { return transport().loop(); }
  uint64_t id() { return transport().id(); }

protected:
  ~Connection() = default;
};

// What a filter is given when it is made, besides its configuration.
// Threads: main once when the configuration is loaded, so that the statistics exist from the start;
// then each worker. Lifetime: outlives the filter.
class FilterContext {
public:
  virtual ~FilterContext() = default;

  // Statistics named `<filter id>.<name>`. Name all of them in the constructor.
  virtual Counter& counter(absl::string_view name) = 0;
  virtual Gauge& gauge(absl::string_view name) = 0;
  virtual Histogram& histogram(absl::string_view name, stats::Unit unit) = 0;

  // The clusters as this worker sees them; null while the configuration is loaded.
  virtual upstream::ThreadClusters* clusters() = 0;
};

// A network filter of one connection. Override what you need: a verb that is not overridden costs
// nothing, and a chain whose filters see no bytes moves bulk data without copying it.
class Filter {
public:
  virtual ~Filter() = default;

  // The connection is open and its chain chosen; nothing was read yet. kStop: the filters behind
  // wait for resume().
  virtual Next onOpen() { return Next::kContinue; }

  // The handshake with the peer is done: who it is, is known. Never called where there is none.
  // Told to opened filters only; one that opens later sees that transport().open().
  virtual void onHandshake() {}

  // Bytes from the peer. `end` comes once, with the last bytes or with none: the peer half-closed.
  // kContinue: what is left in `data` goes on to the next filter. kStop: it is kept, and comes
  // again in front of the next bytes, or goes on at resume(). Reading pauses when
  // transport().readLimit() bytes are kept. The last filter must take everything.
  virtual Next onData(Buffer& data, bool end) {
    static_cast<void>(data), static_cast<void>(end);
    return Next::kContinue;
  }

  // Bytes to the peer. kContinue: what is left goes on. kStop: it is kept, and comes again in front
  // of the next bytes, or goes on at resume(). Kept bytes count as ones that the peer did not take.
  virtual Next onWrite(Buffer& data, bool end) {
    static_cast<void>(data), static_cast<void>(end);
    return Next::kContinue;
  }

  // The peer takes bytes slower than they are written: stop the source (true), go on (false). Told
  // to opened filters only; one that opens meanwhile is told right after.
  virtual void onWriteBlocked(bool blocked) { static_cast<void>(blocked); }

  // The connection is over. Called exactly once, also when onOpen never was.
  virtual void onClose(const CloseReason& reason) { static_cast<void>(reason); }

protected:
  Connection& connection() { return *connection_; }

  // Goes on behind this filter. Legal only after this filter returned kStop.
  void resume();

  // This filter wants no more bytes of this connection, in either direction: bulk data may then
  // pass without being copied. For those that looked at the first bytes.
  void bypass();

private:
  friend class Session;
  Connection* connection_ = nullptr;
  Session* session_ = nullptr;
  size_t index_ = 0; // In the chain.
};

} // namespace culvert

#include "source/filter_api/registration.h" // IWYU pragma: export
