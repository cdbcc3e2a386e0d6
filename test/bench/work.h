// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "test/bench/sockets.h"

namespace culvert::bench {

// What one run of the load program does. Work ends at `count` units or after `seconds`, whichever
// is first. Units: bytes_per_stream in bytes.
struct Work {
  uint32_t host = kLoopback;
  uint16_t port = 0;
  uint32_t connections = 1;
  uint64_t bytes_per_stream = 0;
  uint64_t count = UINT64_MAX;
  int64_t seconds = 60;
};

// Fills `work` from a command line of one mode and options; false if it makes no sense.
bool readOptions(int argc, char** argv, Work& work);

} // namespace culvert::bench
