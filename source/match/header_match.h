// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace envoy::config::route::v3 {
class HeaderMatcher;
}

namespace culvert::match {

// What Envoy's HeaderMatcher says, compiled. Asked with the value of the header of that name; null:
// there is none.
// Threads: made on main, then any. Errors: begin with the path below the message.
struct HeaderMatch {
  std::string name;
  std::function<bool(const std::string* value)> matches;
};
absl::StatusOr<HeaderMatch> makeHeaderMatch(const envoy::config::route::v3::HeaderMatcher& config);

} // namespace culvert::match
