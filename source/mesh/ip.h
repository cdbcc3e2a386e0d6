// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "source/net/address.h"

namespace culvert::mesh {

// An IP address without a port in sixteen plain bytes. An IPv4 address and its IPv4-mapped IPv6
// form are one and the same (mesh-data-plane 1.2).
// Threads: any.
class Ip {
public:
  Ip() = default; // ::

  // Network order. Nothing unless there are 4 or 16.
  static std::optional<Ip> fromBytes(absl::string_view bytes);
  // Errors: "malformed IP address: X".
  static absl::StatusOr<Ip> parse(absl::string_view text);
  // Of an address that isIp().
  static Ip of(const net::Address& address);

  bool isV4() const;
  net::Address withPort(uint16_t port) const;
  std::string toString() const; // "1.2.3.4", "::1"
  const std::array<uint8_t, 16>& bytes() const { return bytes_; }

  friend bool operator==(const Ip& a, const Ip& b) { return a.bytes_ == b.bytes_; }
  friend bool operator<(const Ip& a, const Ip& b) { return a.bytes_ < b.bytes_; }
  template <typename H> friend H AbslHashValue(H h, const Ip& ip) {
    return H::combine(std::move(h), ip.bytes_);
  }

private:
  std::array<uint8_t, 16> bytes_{};
};

// A block of addresses of one family. Threads: any.
class IpBlock {
public:
  IpBlock() = default;

  // Host bits of `ip` do not matter. Nothing if the prefix is longer than the family's addresses.
  static std::optional<IpBlock> create(const Ip& ip, uint32_t prefix_bits);
  // "10.0.0.0/8". Errors: "malformed CIDR: X".
  static absl::StatusOr<IpBlock> parse(absl::string_view text);

  bool contains(const Ip& ip) const;
  uint32_t prefixBits() const { return v4_ ? bits_ - 96u : bits_; }
  bool whole() const { return bits_ == 128; } // One address.
  const Ip& base() const { return base_; }    // Host bits are kept as they were given.
  std::string toString() const;

  friend bool operator==(const IpBlock& a, const IpBlock& b) {
    return a.bits_ == b.bits_ && a.v4_ == b.v4_ && a.base_ == b.base_;
  }

private:
  Ip base_;
  uint8_t bits_ = 0; // Of the sixteen bytes.
  bool v4_ = false;
};

} // namespace culvert::mesh
