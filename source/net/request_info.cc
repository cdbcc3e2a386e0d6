// SPDX-License-Identifier: Apache-2.0
#include "source/net/request_info.h"

#include "absl/strings/match.h"

namespace culvert::net {

const std::string* RequestInfo::find(const Fields& fields, absl::string_view name) {
  for (const auto& [key, value] : fields) {
    if (absl::EqualsIgnoreCase(key, name)) {
      return &value;
    }
  }
  return nullptr;
}

} // namespace culvert::net
