// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "source/mesh/text.h"

namespace culvert::mesh {

// Service port -> target port, in one pointer, shared by all that map alike.
// Threads: any; made on the pool's.
class PortMap {
public:
  using Pairs = std::vector<std::pair<uint16_t, uint16_t>>;

  PortMap() = default;
  // In any order; of a service port that is there twice the last counts.
  static PortMap create(Pairs pairs, TextPool& texts);

  std::optional<uint16_t> find(uint16_t service_port) const;
  Pairs pairs() const; // By service port.
  bool empty() const { return bytes_.empty(); }

  friend bool operator==(const PortMap& a, const PortMap& b) { return a.bytes_ == b.bytes_; }

private:
  Text bytes_; // Pairs by service port, as they are in memory.
};

} // namespace culvert::mesh
