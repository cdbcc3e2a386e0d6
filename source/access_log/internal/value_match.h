// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "absl/status/statusor.h"

namespace culvert::net {
struct Value;
}
namespace envoy::type::matcher::v3 {
class ValueMatcher;
}

namespace culvert::access_log::internal {

using ValueMatch = std::function<bool(const net::Value&)>;

// A ValueMatcher for values that are there.
// Errors: begin with the path below the matcher, "" for itself: ".string_match: ...".
absl::StatusOr<ValueMatch> makeValueMatch(const envoy::type::matcher::v3::ValueMatcher& config);

} // namespace culvert::access_log::internal
