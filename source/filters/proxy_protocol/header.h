// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "source/net/address.h"

namespace culvert::proxy_protocol {

// What the first bytes of a connection turned out to be.
struct ParsedHeader {
  enum class Kind {
    kHeader,
    kNeedMore,
    kNone,      // Something else: it does not begin as a header does.
    kMalformed, // It does, and goes on wrongly.
  };

  Kind kind = Kind::kNone;
  int version = 0;  // 1 or 2; not for kNone.
  size_t bytes = 0; // kHeader: its length. kNeedMore: how many are certainly needed, all in all.
  // UNKNOWN and LOCAL say nothing about addresses.
  bool has_addresses = false;
  net::Address source;
  net::Address destination;
  absl::string_view tlvs; // Of version 2, checked; points into the bytes that were parsed.
};

// Reads the PROXY header that `stream` begins with, of version 1 (a line of at most 108 bytes) or 2
// (at most 16 + 65535 bytes). Addresses must be ones that a TCP connection can have.
// Threads: any.
ParsedHeader parseHeader(absl::string_view stream);

// Calls `visit` for each of a header's checked TLVs.
void forEachTlv(absl::string_view tlvs,
                absl::FunctionRef<void(uint8_t type, absl::string_view value)> visit);

} // namespace culvert::proxy_protocol
