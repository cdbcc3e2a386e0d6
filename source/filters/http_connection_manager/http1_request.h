// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"
#include "source/net/request_info.h"

namespace culvert::http_connection_manager {

// The head of an HTTP/1 request as a client sent it: the request line and the headers, up to the
// empty line (RFC 9112, sections 3 and 5). What is no proper request is bad; nothing is guessed.
// Threads: any.
struct Http1Request {
  enum class State : uint8_t { kMore, kBad, kTooLarge, kComplete };

  State state = State::kMore;
  size_t bytes = 0; // Of the head.
  // :method first, and :authority: of a CONNECT its target, else the Host header.
  net::RequestInfo::Fields fields;
  absl::string_view protocol; // "HTTP/1.1", "HTTP/1.0"
};

// Looks at what has come so far.
Http1Request parseHttp1(absl::string_view bytes, size_t bytes_max, size_t fields_max);

} // namespace culvert::http_connection_manager
