// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace culvert::bench {

// What one run of the load client does. Work ends at `count` units or after `seconds`, whichever is
// first.
// Units: bytes_per_stream in bytes.
struct Work {
  uint16_t port = 0;
  uint32_t connections = 1;
  uint64_t bytes_per_stream = 0;
  uint64_t count = UINT64_MAX;
  int64_t seconds = 60;
};

// Every mode prints one JSON object on stdout. Threads: one each.
void runBulk(const Work& work, bool upload);
// Ping-pong on `connections` connections that stay open.
void runRequests(const Work& work);
// Connect, one ping-pong, close; `connections` at a time.
void runConnections(const Work& work);
// Opens `connections`, one ping-pong on each, prints, and holds them until stdin ends.
void runIdle(const Work& work);

} // namespace culvert::bench
