// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "source/access_log/internal/operator.h"

namespace culvert::net {
class Address;
}

namespace culvert::access_log::internal {

// How an address prints; no address, or none of a kind, has no value.
Found appendAddress(const net::Address* address, std::string& out);
// "127.0.0.1", or "127.0.0.0/8" where op says 8 bits.
Found appendWithoutPort(const net::Address* address, const Operator& op, std::string& out);
Found appendPort(const net::Address* address, std::string& out);
Found appendEndpointId(const net::Address* address, std::string& out);

// The argument of the ..._WITHOUT_PORT commands. Text that is no number means none, as in Envoy.
absl::Status parsePrefixBits(absl::string_view argument, Operator& op);

template <auto kAddress> Found printAddress(const Operator&, const Entry& entry, std::string& out) {
  return appendAddress(kAddress(entry), out);
}
template <auto kAddress>
Found printWithoutPort(const Operator& op, const Entry& entry, std::string& out) {
  return appendWithoutPort(kAddress(entry), op, out);
}
template <auto kAddress> Found printPort(const Operator&, const Entry& entry, std::string& out) {
  return appendPort(kAddress(entry), out);
}
template <auto kAddress>
Found printEndpointId(const Operator&, const Entry& entry, std::string& out) {
  return appendEndpointId(kAddress(entry), out);
}

} // namespace culvert::access_log::internal
