// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "source/match/string_match.h"
#include "source/net/address.h"

namespace culvert::net {
struct Value;
}
namespace envoy::type::matcher::v3 {
class StringMatcher;
class ValueMatcher;
} // namespace envoy::type::matcher::v3

namespace culvert::match {

// What Envoy's matcher messages say, compiled.
// Threads: made on main, then any. Errors: begin with the path below the message, "" for itself:
// ".string_match.safe_regex.regex: missing ]: [".

absl::StatusOr<StringMatch> makeStringMatch(const envoy::type::matcher::v3::StringMatcher& config);

// For values that are there. Asking allocates nothing.
using ValueMatch = std::function<bool(const net::Value&)>;
absl::StatusOr<ValueMatch> makeValueMatch(const envoy::type::matcher::v3::ValueMatcher& config);

// A CidrRange, of which there are two messages. A prefix longer than an address counts as the whole
// of it; none as 0.
absl::StatusOr<net::Cidr> makeCidr(absl::string_view address_prefix, uint32_t prefix_len);
template <class CidrRange> absl::StatusOr<net::Cidr> makeCidr(const CidrRange& config) {
  return makeCidr(config.address_prefix(), config.prefix_len().value());
}

} // namespace culvert::match
