// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace culvert::tls_inspector {

// Why bytes are no ClientHello, in the words and with the number of BoringSSL's errors.
struct NoHello {
  const char* number;
  const char* words;
};

// What the first bytes of a connection turned out to be.
struct ParsedHello {
  enum class Kind { kHello, kNeedMore, kNoHello };

  Kind kind = Kind::kNeedMore;
  // kHello: where it ends. kNoHello: how many bytes it took to know. kNeedMore: how many bytes are
  // certainly needed, all in all.
  size_t bytes = 0;
  std::string server_name; // As sent; empty: it named none.
  // In the order of the offer; empty also when the offer is malformed.
  std::vector<std::string> application_protocols;
  NoHello why = {};
};

// Looks for the TLS ClientHello that `stream` begins with (RFC 8446 4.1.2; RFC 6066 3; RFC
// 7301 3.1). Only as much is checked as is needed to read the names; versions and ciphers are the
// server's to judge. Bounded: a hello is at most 16 KiB, and work is linear in what is there.
// Threads: any.
ParsedHello parseClientHello(absl::string_view stream);

} // namespace culvert::tls_inspector
