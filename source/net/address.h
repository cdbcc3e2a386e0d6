// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace culvert::net {

// Where a connection comes from or goes to: an IPv4 or IPv6 address with a port, a unix socket's
// path, or an internal listener's name. A small value, cheap to copy.
// Threads: any.
class Address {
public:
  enum class Kind : uint8_t { kNone, kIpv4, kIpv6, kPipe, kInternal };

  Address() : ip_{} {}
  Address(const Address& other);
  Address(Address&& other) noexcept;
  Address& operator=(Address other) noexcept;
  ~Address();

  // An address in digits. Errors: "malformed IP address: X".
  static absl::StatusOr<Address> parseIp(absl::string_view ip, uint16_t port);
  // "1.2.3.4:80", "[::1]:80".
  static absl::StatusOr<Address> parseIpPort(absl::string_view text);
  // A unix socket; a leading '@' names an abstract one. Errors: a path that is too long.
  static absl::StatusOr<Address> pipe(absl::string_view path);
  // `endpoint_id` may be empty.
  static Address internal(absl::string_view listener, absl::string_view endpoint_id);
  // 4 or 16 bytes in network order. IPv4 in the form of IPv6 becomes IPv4, here and below.
  static Address fromIpBytes(absl::string_view ip, uint16_t port);
  static Address fromSockaddr(const sockaddr_storage& storage, socklen_t length);
  static Address localOf(int fd);
  static Address peerOf(int fd);

  Kind kind() const { return kind_; }
  bool isIp() const { return kind_ == Kind::kIpv4 || kind_ == Kind::kIpv6; }
  bool isAny() const; // 0.0.0.0 or ::
  bool isLoopback() const;
  uint16_t port() const { return port_; }
  Address withPort(uint16_t port) const;
  // The same address, whose sockets serve IPv4 peers, too. Errors, in Envoy's words: it is neither
  // "::" nor an IPv4 address in the form of IPv6 ("::ffff:1.2.3.4").
  absl::StatusOr<Address> withIpv4() const;
  bool takesIpv4() const { return takes_ipv4_; }
  bool isMapped() const; // An IPv4 address in the form of IPv6.
  // Whether connections to `destination` come to a socket that is bound here.
  bool covers(const Address& destination) const;
  int family() const;
  // The address bytes in network order: 4, 16 or none.
  absl::string_view ipBytes() const;

  // "1.2.3.4:80", "[::1]:80", "/run/x.sock", "envoy://listener/endpoint", as Envoy prints them.
  std::string toString() const;
  // "1.2.3.4", "::1"; a pipe's path.
  std::string ipString() const;
  // The pipe's path, or "listener/endpoint_id" of an internal address.
  const std::string& path() const;

  socklen_t toSockaddr(sockaddr_storage& storage) const;

  friend bool operator==(const Address& a, const Address& b);
  template <typename H> friend H AbslHashValue(H h, const Address& a) {
    return H::combine(std::move(h), a.kind_, a.port_, a.scope_id_, a.ipBytes(), a.path());
  }

private:
  Address(Kind kind, std::string path);
  bool hasPath() const { return kind_ == Kind::kPipe || kind_ == Kind::kInternal; }

  Kind kind_ = Kind::kNone;
  bool takes_ipv4_ = false; // Of sockets, and no part of who one is.
  uint16_t port_ = 0;
  uint32_t scope_id_ = 0;
  // One or the other, as kind_ says: each connection keeps several addresses.
  union {
    std::array<unsigned char, 16> ip_;
    std::shared_ptr<const std::string> path_; // Never null.
  };
};

// A block of IP addresses, as in "10.0.0.0/8".
class Cidr {
public:
  // Errors: a malformed address, or a length beyond the family's bits.
  static absl::StatusOr<Cidr> create(absl::string_view ip, uint32_t prefix_bits);

  bool contains(const Address& address) const;
  uint32_t prefixBits() const { return bits_; }
  const Address& base() const { return base_; } // Host bits cleared.
  std::string toString() const;

  friend bool operator==(const Cidr& a, const Cidr& b) {
    return a.bits_ == b.bits_ && a.base_ == b.base_;
  }

private:
  Address base_;
  uint32_t bits_ = 0;
};

} // namespace culvert::net
