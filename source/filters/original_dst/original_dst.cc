// SPDX-License-Identifier: Apache-2.0
#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <string>
#include <variant>

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

constexpr absl::string_view kKey = "envoy.filters.listener.original_dst";
constexpr absl::string_view kLocalKey = "envoy.filters.listener.original_dst.local_ip";
constexpr absl::string_view kRemoteKey = "envoy.filters.listener.original_dst.remote_ip";

// Whom the host's metadata names: nothing when it says nothing, no address when it says nonsense.
std::optional<net::Address> localOfMetadata(const ConnectionInfo& info) {
  const net::Value::Fields* const fields =
      info.dynamic_metadata == nullptr ? nullptr : info.dynamic_metadata->find(kKey);
  const auto it = fields == nullptr ? net::Value::Fields::const_iterator() : fields->find("local");
  if (fields == nullptr || it == fields->end()) {
    return std::nullopt;
  }
  const std::string* const text = std::get_if<std::string>(&it->second.kind);
  auto address = net::Address::parseIpPort(text == nullptr ? "" : *text);
  return address.ok() ? *address : net::Address();
}

std::optional<net::Address> fromState(const ConnectionInfo& info, absl::string_view key) {
  const auto* const state =
      info.filter_state == nullptr ? nullptr : info.filter_state->find<net::AddressState>(key);
  return state == nullptr ? std::nullopt : std::optional(state->address());
}

// What came along with a connection to an internal listener. Metadata goes before filter state.
void restoreInternal(ConnectionInfo& info) {
  std::optional<net::Address> local = localOfMetadata(info);
  if (!local.has_value()) {
    local = fromState(info, kLocalKey);
  }
  if (local.has_value() && local->isIp()) {
    info.local = *local;
    info.local_restored = true;
  }
  if (const auto remote = fromState(info, kRemoteKey)) {
    info.remote = *remote;
  }
}

// Restores the address that a redirected connection was meant for. With TPROXY the accepted socket
// has it, whatever the listening one is bound to. To an internal listener it comes along.
class OriginalDst final : public ListenerFilter {
public:
  static constexpr const char* kNames[] = {"envoy.filters.listener.original_dst",
                                           "envoy.listener.original_dst"};

  explicit OriginalDst(const Config&) {}

  Verdict onAccept() override {
    ConnectionInfo& info = connection().info();
    const bool v6 = info.direct_local.kind() == net::Address::Kind::kIpv6;
    if (info.direct_local.kind() == net::Address::Kind::kInternal) {
      restoreInternal(info);
      return Verdict::kContinue;
    }
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
