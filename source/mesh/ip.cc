// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/ip.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "source/base/check.h"

namespace culvert::mesh {
namespace {

constexpr std::array<uint8_t, 12> kV4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr uint32_t kV4PrefixBits = 96;

} // namespace

std::optional<Ip> Ip::fromBytes(absl::string_view bytes) {
  Ip ip;
  if (bytes.size() == 4) {
    std::copy(kV4Prefix.begin(), kV4Prefix.end(), ip.bytes_.begin());
    std::memcpy(ip.bytes_.data() + kV4Prefix.size(), bytes.data(), 4);
  } else if (bytes.size() == 16) {
    std::memcpy(ip.bytes_.data(), bytes.data(), 16);
  } else {
    return std::nullopt;
  }
  return ip;
}

absl::StatusOr<Ip> Ip::parse(absl::string_view text) {
  auto address = net::Address::parseIp(text, 0);
  if (!address.ok()) {
    return address.status();
  }
  return of(*address);
}

Ip Ip::of(const net::Address& address) {
  const std::optional<Ip> ip = fromBytes(address.ipBytes());
  CULVERT_CHECK(ip.has_value());
  return *ip;
}

bool Ip::isV4() const { return std::equal(kV4Prefix.begin(), kV4Prefix.end(), bytes_.begin()); }

net::Address Ip::withPort(uint16_t port) const {
  return net::Address::fromIpBytes({reinterpret_cast<const char*>(bytes_.data()), bytes_.size()},
                                   port);
}

std::string Ip::toString() const { return withPort(0).ipString(); }

std::optional<IpBlock> IpBlock::create(const Ip& ip, uint32_t prefix_bits) {
  IpBlock block;
  block.base_ = ip;
  block.v4_ = ip.isV4();
  if (prefix_bits > (block.v4_ ? 32u : 128u)) {
    return std::nullopt;
  }
  block.bits_ = static_cast<uint8_t>(prefix_bits + (block.v4_ ? kV4PrefixBits : 0));
  return block;
}

absl::StatusOr<IpBlock> IpBlock::parse(absl::string_view text) {
  const size_t slash = text.find('/');
  uint32_t bits = 0;
  if (slash != absl::string_view::npos && absl::SimpleAtoi(text.substr(slash + 1), &bits)) {
    const auto ip = Ip::parse(text.substr(0, slash));
    const auto block = ip.ok() ? create(*ip, bits) : std::nullopt;
    if (block.has_value()) {
      return *block;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("malformed CIDR: ", text));
}

bool IpBlock::contains(const Ip& ip) const {
  if (ip.isV4() != v4_) {
    return false;
  }
  const size_t whole = bits_ / 8;
  const uint8_t mask = static_cast<uint8_t>(0xff00 >> (bits_ % 8));
  return std::memcmp(ip.bytes().data(), base_.bytes().data(), whole) == 0 &&
         (mask == 0 || ((ip.bytes()[whole] ^ base_.bytes()[whole]) & mask) == 0);
}

std::string IpBlock::toString() const { return absl::StrCat(base_.toString(), "/", prefixBits()); }

} // namespace culvert::mesh
