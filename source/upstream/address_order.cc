// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/address_order.h"

#include <algorithm>

namespace culvert::upstream {

std::vector<net::Address> inOrder(const std::vector<net::Address>& addresses,
                                  const AddressOrder& order) {
  const auto has = [&](net::Address::Kind kind) {
    return std::any_of(addresses.begin(), addresses.end(),
                       [&](const net::Address& address) { return address.kind() == kind; });
  };
  const net::Address::Kind first =
      order.first && has(*order.first) ? *order.first : addresses.front().kind();
  std::vector<net::Address> ordered;
  std::vector<net::Address> others;
  for (const net::Address& address : addresses) {
    (address.kind() == first ? ordered : others).push_back(address);
  }
  size_t place = order.first_count;
  for (const net::Address& other : others) {
    ordered.insert(ordered.begin() + static_cast<ptrdiff_t>(std::min(place, ordered.size())),
                   other);
    place += order.first_count + 1;
  }
  return ordered;
}

} // namespace culvert::upstream
