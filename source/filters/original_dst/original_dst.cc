// SPDX-License-Identifier: Apache-2.0
#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>

#include "envoy/extensions/filters/listener/original_dst/v3/original_dst.pb.h"
#include "source/filter_api/listener_filter.h"
#include "source/net/address.h"

namespace culvert {
namespace {

using Config = envoy::extensions::filters::listener::original_dst::v3::OriginalDst;

// SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST; netfilter's headers do not go with the C library's.
constexpr int kOriginalDst = 80;

bool isTransparent(int fd, bool v6) {
  int on = 0;
  socklen_t length = sizeof(on);
  return ::getsockopt(fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on,
                      &length) == 0 &&
         on != 0;
}

// Where netfilter's REDIRECT or DNAT took the connection from. Nothing: it was meant for us; then
// the kernel knows no such connection, or names our own address.
std::optional<net::Address> redirectedFrom(int fd, const net::Address& local, bool v6) {
  sockaddr_storage storage;
  socklen_t length = sizeof(storage);
  if (::getsockopt(fd, v6 ? SOL_IPV6 : SOL_IP, kOriginalDst, &storage, &length) != 0) {
    return std::nullopt;
  }
  const net::Address original = net::Address::fromSockaddr(storage, length);
  return original == local ? std::nullopt : std::optional(original);
}

// Restores the address that a redirected connection was meant for. With TPROXY the accepted socket
// has it, whatever the listening one is bound to.
class OriginalDst final : public ListenerFilter {
public:
  static constexpr const char* kNames[] = {"envoy.filters.listener.original_dst",
                                           "envoy.listener.original_dst"};

  explicit OriginalDst(const Config&) {}

  Verdict onAccept() override {
    ConnectionInfo& info = connection().info();
    const bool v6 = info.direct_local.kind() == net::Address::Kind::kIpv6;
    if (!info.direct_local.isIp()) {
      return Verdict::kContinue;
    }
    if (const auto original = redirectedFrom(connection().fd(), info.direct_local, v6)) {
      info.local = *original;
      info.local_restored = true;
    } else if (isTransparent(connection().fd(), v6)) {
      info.local = net::Address::localOf(connection().fd());
      info.local_restored = true;
    }
    return Verdict::kContinue;
  }
};

absl::Status validate(const Config&) { return absl::OkStatus(); }

} // namespace

CULVERT_LISTENER_FILTER(original_dst, Config, OriginalDst, validate)

} // namespace culvert
