// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "source/net/address.h"
#include "source/net/connection_info.h"

namespace culvert::net {

// In the filter state of a downstream connection: the address that its upstream connections come
// from, one of the peer's and not of this machine. Immutable. Threads: any.
class UpstreamSource final : public FilterState::Object {
public:
  static constexpr absl::string_view kKey = "culvert.upstream_source";

  UpstreamSource(Address from, uint32_t packet_mark)
      : address(std::move(from)), mark(packet_mark) {}
  std::string serialize() const override { return address.toString(); }

  const Address address;
  const uint32_t mark; // SO_MARK, by which routes bring the answers back; 0: none.
};

} // namespace culvert::net
