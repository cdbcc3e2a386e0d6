// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace culvert::load {

enum class Kind {
  kDuplex,        // Both speak at once.
  kClientFirst,   // The client ends, then the backend speaks.
  kBackendFirst,  // The backend ends, then the client speaks.
  kSlowReader,    // One side reads in sips, so that the proxy must hold the other back.
  kSlowWriter,    // One side writes in drops.
  kClientCloses,  // The client sends and closes both ways at once.
  kBackendCloses, // The backend sends and closes both ways at once.
  kClientResets,
  kBackendResets,
  kSilent, // The client connects and goes, with FIN or RST.
};
constexpr int kKinds = 10;
const char* name(Kind kind);

enum class Finish { kHalfClose, kClose, kReset };

// What one end of a flow does. Units: bytes; milliseconds where named.
struct EndPlan {
  uint64_t bytes = 0;
  bool greets = false;     // Sends the flow's header first.
  bool after_peer = false; // Speaks only when the other end has ended.
  Finish finish = Finish::kHalfClose;
  int hold_ms = 0; // Between the last byte and the finish.
  uint32_t write_chunk = 64 * 1024;
  int write_pause_ms = 0;
  uint32_t read_chunk = 64 * 1024;
  int read_pause_ms = 0;
};

struct Plan {
  Kind kind;
  EndPlan client;
  EndPlan backend;

  // Whether an end stops the flow before all is said: then only a prefix must arrive.
  bool aborts() const {
    return kind == Kind::kClientResets || kind == Kind::kBackendResets || kind == Kind::kSilent;
  }
};

// The plan of flow `id`: the same for the same seed, whatever else runs.
// Units: `hold_max_ms` bounds how long a flow stays open when all is said.
Plan makePlan(uint64_t seed, uint64_t id, int hold_max_ms);

} // namespace culvert::load
