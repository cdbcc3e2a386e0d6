// SPDX-License-Identifier: Apache-2.0
#include "source/net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "source/base/check.h"

namespace culvert::net {
namespace {

constexpr size_t kPipePathBytesMax = sizeof(sockaddr_un::sun_path);

absl::Status malformed(absl::string_view ip) {
  return absl::InvalidArgumentError(absl::StrCat("malformed IP address: ", ip));
}

template <class Sockaddr> Sockaddr& as(sockaddr_storage& storage) {
  std::memset(&storage, 0, sizeof(Sockaddr));
  return reinterpret_cast<Sockaddr&>(storage);
}

template <class Ip> absl::string_view bytesOf(const Ip& ip) {
  return {reinterpret_cast<const char*>(&ip), sizeof(ip)};
}

} // namespace

Address::Address(Kind kind, std::string path)
    : kind_(kind), path_(std::make_shared<const std::string>(std::move(path))) {}

Address::Address(const Address& other)
    : kind_(other.kind_), takes_ipv4_(other.takes_ipv4_), port_(other.port_),
      scope_id_(other.scope_id_), ip_{} {
  if (other.hasPath()) {
    new (&path_) std::shared_ptr<const std::string>(other.path_);
  } else {
    ip_ = other.ip_;
  }
}

Address::Address(Address&& other) noexcept
    : kind_(other.kind_), takes_ipv4_(other.takes_ipv4_), port_(other.port_),
      scope_id_(other.scope_id_), ip_{} {
  if (other.hasPath()) {
    new (&path_) std::shared_ptr<const std::string>(std::move(other.path_));
    other.kind_ = Kind::kNone;
    other.path_.~shared_ptr();
    new (&other.ip_) std::array<unsigned char, 16>{};
  } else {
    ip_ = other.ip_;
  }
}

Address& Address::operator=(Address other) noexcept {
  if (this != &other) {
    this->~Address();
    new (this) Address(std::move(other));
  }
  return *this;
}

Address::~Address() {
  if (hasPath()) {
    path_.~shared_ptr();
  }
}

absl::StatusOr<Address> Address::parseIp(absl::string_view ip, uint16_t port) {
  Address address;
  const std::string text(ip);
  if (inet_pton(AF_INET, text.c_str(), address.ip_.data()) == 1) {
    address.kind_ = Kind::kIpv4;
  } else if (inet_pton(AF_INET6, text.c_str(), address.ip_.data()) == 1) {
    address.kind_ = Kind::kIpv6;
  } else {
    return malformed(ip);
  }
  address.port_ = port;
  return address;
}

absl::StatusOr<Address> Address::parseIpPort(absl::string_view text) {
  const size_t colon = text.rfind(':');
  uint32_t port;
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(text.substr(colon + 1), &port) ||
      port > 65535) {
    return malformed(text);
  }
  absl::string_view ip = text.substr(0, colon);
  if (ip.size() >= 2 && ip.front() == '[' && ip.back() == ']')
    ip = ip.substr(1, ip.size() - 2);
  return parseIp(ip, static_cast<uint16_t>(port));
}

absl::StatusOr<Address> Address::pipe(absl::string_view path) {
  // A path needs its closing zero, an abstract name does not.
  const size_t limit = path.substr(0, 1) == "@" ? kPipePathBytesMax : kPipePathBytesMax - 1;
  if (path.empty() || path.size() > limit) {
    return absl::InvalidArgumentError(absl::StrCat("Path \"", path,
                                                   "\" exceeds maximum UNIX domain socket path "
                                                   "size of ",
                                                   kPipePathBytesMax, "."));
  }
  return Address(Kind::kPipe, std::string(path));
}

Address Address::internal(absl::string_view listener, absl::string_view endpoint_id) {
  return Address(Kind::kInternal, absl::StrCat(listener, "/", endpoint_id));
}

Address Address::fromIpBytes(absl::string_view ip, uint16_t port) {
  Address address;
  address.kind_ = ip.size() == sizeof(in_addr) ? Kind::kIpv4 : Kind::kIpv6;
  CULVERT_CHECK(ip.size() == sizeof(in_addr) || ip.size() == address.ip_.size());
  std::memcpy(address.ip_.data(), ip.data(), ip.size());
  address.port_ = port;
  if (address.isMapped()) {
    return fromIpBytes(ip.substr(sizeof(in6_addr) - sizeof(in_addr)), port);
  }
  return address;
}

Address Address::fromSockaddr(const sockaddr_storage& storage, socklen_t length) {
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    return fromIpBytes(bytesOf(in.sin_addr), ntohs(in.sin_port));
  }
  if (storage.ss_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(storage);
    Address address = fromIpBytes(bytesOf(in6.sin6_addr), ntohs(in6.sin6_port));
    if (address.kind_ == Kind::kIpv6) {
      address.scope_id_ = in6.sin6_scope_id;
    }
    return address;
  }
  if (storage.ss_family == AF_UNIX) {
    const auto& un = reinterpret_cast<const sockaddr_un&>(storage);
    const size_t bytes = length - offsetof(sockaddr_un, sun_path);
    if (bytes > 0 && un.sun_path[0] == '\0') {
      return Address(Kind::kPipe, absl::StrCat("@", absl::string_view(un.sun_path + 1, bytes - 1)));
    }
    return Address(Kind::kPipe, std::string(un.sun_path, strnlen(un.sun_path, bytes)));
  }
  return {};
}

Address Address::localOf(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0)
    return {};
  return fromSockaddr(storage, length);
}

Address Address::peerOf(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0)
    return {};
  return fromSockaddr(storage, length);
}

bool Address::isAny() const {
  return isIp() && std::all_of(ip_.begin(), ip_.end(), [](unsigned char c) { return c == 0; });
}

bool Address::isLoopback() const {
  if (kind_ == Kind::kIpv4)
    return ip_[0] == 127;
  return kind_ == Kind::kIpv6 &&
         IN6_IS_ADDR_LOOPBACK(reinterpret_cast<const in6_addr*>(ip_.data()));
}

Address Address::withPort(uint16_t port) const {
  Address other = *this;
  other.port_ = port;
  return other;
}

bool Address::isMapped() const {
  return kind_ == Kind::kIpv6 &&
         IN6_IS_ADDR_V4MAPPED(reinterpret_cast<const in6_addr*>(ip_.data()));
}

absl::StatusOr<Address> Address::withIpv4() const {
  if (!isMapped() && (kind_ != Kind::kIpv6 || !isAny())) {
    return absl::InvalidArgumentError(
        absl::StrCat("Only IPv6 address '::' or valid IPv4-mapped IPv6 address can set "
                     "ipv4_compat: ",
                     toString()));
  }
  Address other = *this;
  other.takes_ipv4_ = true;
  return other;
}

bool Address::covers(const Address& destination) const {
  if (*this == destination) {
    return true;
  }
  if (!isIp() || port_ != destination.port_) {
    return false;
  }
  if (isAny()) {
    return kind_ == destination.kind_ || (takes_ipv4_ && destination.kind_ == Kind::kIpv4);
  }
  return takes_ipv4_ && destination.kind_ == Kind::kIpv4 &&
         ipBytes().substr(12) == destination.ipBytes();
}

int Address::family() const {
  switch (kind_) {
  case Kind::kIpv4:
    return AF_INET;
  case Kind::kIpv6:
    return AF_INET6;
  case Kind::kPipe:
    return AF_UNIX;
  default:
    return AF_UNSPEC;
  }
}

absl::string_view Address::ipBytes() const {
  const size_t size = kind_ == Kind::kIpv4 ? 4 : kind_ == Kind::kIpv6 ? 16 : 0;
  return {reinterpret_cast<const char*>(ip_.data()), size};
}

std::string Address::toString() const {
  switch (kind_) {
  case Kind::kIpv4:
    return absl::StrCat(ipString(), ":", port_);
  case Kind::kIpv6:
    return absl::StrCat("[", ipString(), "]:", port_);
  case Kind::kInternal:
    return absl::StrCat("envoy://", path());
  default:
    return path();
  }
}

std::string Address::ipString() const {
  if (!isIp())
    return path();
  char text[INET6_ADDRSTRLEN];
  inet_ntop(family(), ip_.data(), text, sizeof(text));
  return text;
}

const std::string& Address::path() const {
  static const std::string* const none = new std::string;
  return hasPath() ? *path_ : *none;
}

socklen_t Address::toSockaddr(sockaddr_storage& storage) const {
  if (kind_ == Kind::kIpv4) {
    auto& in = as<sockaddr_in>(storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(port_);
    std::memcpy(&in.sin_addr, ip_.data(), 4);
    return sizeof(in);
  }
  if (kind_ == Kind::kIpv6) {
    auto& in6 = as<sockaddr_in6>(storage);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port_);
    in6.sin6_scope_id = scope_id_;
    std::memcpy(in6.sin6_addr.s6_addr, ip_.data(), 16);
    return sizeof(in6);
  }
  auto& un = as<sockaddr_un>(storage);
  un.sun_family = AF_UNIX;
  const std::string& name = path();
  std::memcpy(un.sun_path, name.data(), std::min(name.size(), kPipePathBytesMax));
  const bool abstract = name.substr(0, 1) == "@";
  if (abstract)
    un.sun_path[0] = '\0';
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (abstract ? 0 : 1));
}

bool operator==(const Address& a, const Address& b) {
  return a.kind_ == b.kind_ && a.port_ == b.port_ && a.scope_id_ == b.scope_id_ &&
         a.ipBytes() == b.ipBytes() && a.path() == b.path();
}

absl::StatusOr<Cidr> Cidr::create(absl::string_view ip, uint32_t prefix_bits) {
  absl::StatusOr<Address> address = Address::parseIp(ip, 0);
  if (!address.ok())
    return address.status();
  std::string bytes(address->ipBytes());
  if (prefix_bits > bytes.size() * 8) {
    return absl::InvalidArgumentError(absl::StrCat("prefix_len ", prefix_bits, " is beyond the ",
                                                   bytes.size() * 8, " bits of ", ip));
  }
  for (size_t bit = prefix_bits; bit < bytes.size() * 8; bit++) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] & ~(0x80 >> (bit % 8)));
  }
  char text[INET6_ADDRSTRLEN];
  inet_ntop(address->family(), bytes.data(), text, sizeof(text));
  Cidr cidr;
  cidr.base_ = *Address::parseIp(text, 0);
  cidr.bits_ = prefix_bits;
  return cidr;
}

bool Cidr::contains(const Address& address) const {
  if (address.kind() != base_.kind())
    return false;
  const absl::string_view a = address.ipBytes();
  const absl::string_view b = base_.ipBytes();
  const size_t whole = bits_ / 8;
  if (a.substr(0, whole) != b.substr(0, whole))
    return false;
  if (bits_ % 8 == 0)
    return true;
  const auto mask = static_cast<unsigned char>(0xff << (8 - bits_ % 8));
  return ((a[whole] ^ b[whole]) & mask) == 0;
}

std::string Cidr::toString() const { return absl::StrCat(base_.ipString(), "/", bits_); }

} // namespace culvert::net
