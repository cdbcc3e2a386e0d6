// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace culvert::bench {

constexpr uint32_t kRequestBytes = 100;

enum class Mode : uint64_t {
  kUpload = 1,   // The client sends `bytes`, the server answers one byte.
  kDownload = 2, // The server sends `bytes`.
  kRequests = 3, // The server answers every kRequestBytes with as many.
};

// The first bytes that a client sends on each connection.
struct Hello {
  Mode mode;
  uint64_t bytes;
};

} // namespace culvert::bench
