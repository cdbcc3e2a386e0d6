// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace culvert::net {
struct ConnectionInfo;
}

namespace culvert::access_log::internal {

using Id = std::pair<uint64_t, uint64_t>;

// The same for every line about one connection, and for no other connection: made from the
// connection's number and the time of its start, so that none has to be kept.
Id streamId(const net::ConnectionInfo& info);

// A new one at each call.
Id randomId();

// As a version 4 UUID (RFC 9562, section 5.4).
void appendUuid(Id id, std::string& out);

} // namespace culvert::access_log::internal
