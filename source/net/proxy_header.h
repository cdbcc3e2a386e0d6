// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "source/net/address.h"
#include "source/net/connection_info.h"

namespace culvert::net {

// What a PROXY header said about a connection, kept in its filter state for whoever writes such a
// header to the host (kKey is Envoy's name for it). Immutable. Threads: any.
class ProxyHeader final : public FilterState::Object {
public:
  static constexpr absl::string_view kKey = "envoy.network.proxy_protocol_options";

  struct Tlv {
    uint8_t type;
    std::string value;
  };

  ProxyHeader(Address from, Address to, std::vector<Tlv> extras)
      : source(std::move(from)), destination(std::move(to)), tlvs(std::move(extras)) {}
  std::string serialize() const override { return {}; }

  const Address source;
  const Address destination;
  const std::vector<Tlv> tlvs; // Those that are to be passed on.
};

// A header of `version` 1 or 2. Addresses that are not both of one IP family are not named: the
// header says UNKNOWN, or LOCAL. TLVs are of version 2; their values fit, all in all, into what a
// header can hold, see kTlvBytesMax.
std::string encodeProxyHeader(int version, const Address& source, const Address& destination,
                              absl::Span<const ProxyHeader::Tlv> tlvs);

// What a TLV takes, and what all of a header may take with the longest addresses.
size_t tlvBytes(const ProxyHeader::Tlv& tlv);
inline constexpr size_t kTlvBytesMax = 65535 - 36;

} // namespace culvert::net
