// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "source/net/address.h"

namespace culvert::socks5 {

// What clients and servers of SOCKS5 say to one another (RFC 1928). Threads: any.

// The longest message: a request for a name of 255 bytes.
constexpr size_t kMessageBytesMax = 4 + 1 + 255 + 2;

// What a client may not say.
enum class Mistake : uint8_t {
  kVersion,     // It speaks another protocol.
  kMethod,      // It wants to prove who it is.
  kCommand,     // It wants something else than CONNECT.
  kAddressType, // Neither an address nor a name.
};

// What the bytes of a client begin with.
struct Message {
  enum class Kind : uint8_t { kNeedMore, kWhole, kWrong };

  Kind kind = Kind::kNeedMore;
  size_t bytes = 0;                    // kWhole: its length.
  Mistake mistake = Mistake::kVersion; // kWrong: the first one.
  // Of a request that is whole: where to connect, by its address, or by its name and port.
  net::Address destination; // No kind: by its name.
  absl::string_view name;   // Any bytes; points into those that were read.
  uint16_t port = 0;
};

// The first message: a version, and the methods of authentication that the client knows.
Message readGreeting(absl::string_view stream);

// The second: a version, a command and a destination.
Message readRequest(absl::string_view stream);

// What a server says: that no authentication is needed; and how the request ended (section 6), with
// an address that says nothing.
constexpr absl::string_view kNoAuthentication("\5\0", 2);
enum class ReplyCode : uint8_t { kSucceeded = 0, kGeneralFailure = 1, kCommandNotSupported = 7 };
std::string reply(ReplyCode code);

} // namespace culvert::socks5
