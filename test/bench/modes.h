// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "test/bench/work.h"

namespace culvert::bench {

// Every mode prints one JSON object on stdout. Threads: one each.
void runBulk(const Work& work, bool upload);
// Ping-pong on `connections` connections that stay open.
void runRequests(const Work& work);
// Connect, one ping-pong, close; `connections` at a time.
void runConnections(const Work& work);
// Opens `connections`, one ping-pong on each, prints, and holds them until stdin ends.
void runIdle(const Work& work);

} // namespace culvert::bench
