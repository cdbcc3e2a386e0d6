// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace culvert::net {

// What a request is answered with that waits for what becomes of its connection: 200 with
// `accept_headers`, which are gone then, when somebody begins to read it, `refusal` when it is
// closed before. Threads: the worker's. Lifetime: shared by the record and the transport.
struct ConnectAnswer {
  std::vector<std::pair<std::string, std::string>> accept_headers;
  uint32_t refusal = 503;
};

// The HTTP request that a tunnel began with, as logs and filters see it.
// Threads: the worker's. Lifetime: as the record that holds it.
struct RequestInfo {
  using Fields = std::vector<std::pair<std::string, std::string>>;

  absl::string_view protocol; // "HTTP/2"
  Fields headers;             // With pseudo-headers; names in lower case.
  Fields response_headers;
  uint32_t response_code = 0; // 0: there was no answer.
  std::string details;        // %RESPONSE_CODE_DETAILS%
  std::string route_name;
  std::shared_ptr<ConnectAnswer> answer; // Null where it waits for nobody.

  // The first one of that name, of whichever case; null: there is none.
  static const std::string* find(const Fields& fields, absl::string_view name);
};

} // namespace culvert::net
