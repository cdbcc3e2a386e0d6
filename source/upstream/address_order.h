// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "source/net/address.h"

namespace culvert::upstream {

// In which order the addresses of a host are tried (happy_eyeballs_config).
struct AddressOrder {
  std::optional<net::Address::Kind> first{}; // Nothing, or none of it: as the first address.
  uint32_t first_count = 1; // So many of this kind, then one of another, and so on.
};

// `addresses` has at least one. Threads: any.
std::vector<net::Address> inOrder(const std::vector<net::Address>& addresses,
                                  const AddressOrder& order);

} // namespace culvert::upstream
