// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace culvert::hbone {

// Names in lower case; the pseudo-headers come first.
using Http2Fields = std::vector<std::pair<std::string, std::string>>;

// The headers of a request or a response as a peer sent them: bounded, and only characters that
// HTTP allows.
struct Http2Headers {
  uint32_t status = 0; // Of a response.
  Http2Fields fields;

  // The first one of that name; null: there is none.
  const std::string* find(absl::string_view name) const {
    for (const auto& [key, value] : fields) {
      if (key == name) {
        return &value;
      }
    }
    return nullptr;
  }
};

} // namespace culvert::hbone
