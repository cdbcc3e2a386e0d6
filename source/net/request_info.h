// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace culvert::net {

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

  // The first one of that name, of whichever case; null: there is none.
  static const std::string* find(const Fields& fields, absl::string_view name);
};

} // namespace culvert::net
