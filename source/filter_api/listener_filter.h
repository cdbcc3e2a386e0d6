// SPDX-License-Identifier: Apache-2.0
#pragma once

// Everything that the author of a listener filter needs: this header and his own config message.
//
// A listener filter looks at an accepted connection before its filter chain is chosen: it restores
// addresses, or looks at the first bytes without taking them (tls_inspector), or takes a preamble
// off (proxy_protocol). One object is made for each connection, on the worker that accepted it,
// when the filters before it are done; it is gone as soon as it has answered.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "source/net/connection_info.h"

namespace culvert {

using net::ConnectionInfo;

// What a listener filter answers.
enum class Verdict : uint8_t {
  kContinue, // This filter is done; go on.
  kWait,     // It wants to see the peer's first bytes, or more of them.
  kClose,    // Nobody shall serve this connection.
};

// What listener filters find out about a connection for the choice of its chain, besides what its
// ConnectionInfo holds.
struct Detected {
  absl::string_view transport_protocol = "raw_buffer"; // A literal.
  std::vector<std::string> application_protocols;      // As the peer offers them.
};

// An accepted connection as its listener filters see it.
// Threads: the worker's. Lifetime: outlives its filters.
class AcceptedConnection {
public:
  // Addresses, server name, filter state and metadata: what is written here is what filter chains
  // match on, filters see and the access log shows.
  virtual ConnectionInfo& info() = 0;
  virtual Detected& detected() = 0;
  // For options of the socket; its bytes are not to be read.
  virtual int fd() const = 0;
  // Takes the first `bytes` of what onData was shown off the connection: nobody sees them again.
  virtual void drop(size_t bytes) = 0;

protected:
  ~AcceptedConnection() = default;
};

// A listener filter of one connection. Override what you need.
class ListenerFilter {
public:
  virtual ~ListenerFilter() = default;

  // The connection was accepted, and the filters before this one are done.
  virtual Verdict onAccept() { return Verdict::kContinue; }

  // After kWait: all bytes that have come so far, at most maxBytes(). They stay where they are,
  // unless they are drop()ped, and come again with more for each kWait. A filter that has been
  // shown maxBytes() must decide, drop some, or allow itself more.
  virtual Verdict onData(absl::string_view bytes) {
    static_cast<void>(bytes);
    return Verdict::kContinue;
  }

  // How much onData is shown at most. Bounds what a peer can make this filter do. Never above
  // event::Loop::kScratchBytes.
  virtual size_t maxBytes() const { return 0; }

protected:
  AcceptedConnection& connection() { return *connection_; }

private:
  friend class ListenerStage;
  AcceptedConnection* connection_ = nullptr;
};

} // namespace culvert

#include "source/filter_api/listener_registration.h" // IWYU pragma: export
