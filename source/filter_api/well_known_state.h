// SPDX-License-Identifier: Apache-2.0
#pragma once

// Keys of net::FilterState under which filters of this proxy find what others left, as in Envoy.

#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "source/net/connection_info.h"

namespace culvert {

// The cluster that tcp_proxy takes instead of the configured one; serialize() is its name.
constexpr absl::string_view kTcpProxyCluster = "envoy.tcp_proxy.cluster";

// A NumberState: for how many milliseconds tcp_proxy lets this connection be idle; 0 for ever.
constexpr absl::string_view kTcpProxyIdleTimeout = "envoy.tcp_proxy.per_connection_idle_timeout_ms";

// "true": tcp_proxy asks for no tunnel, though it is configured to.
constexpr absl::string_view kTcpProxyNoTunnel = "envoy.tcp_proxy.disable_tunneling";

// An AddressState: where an ORIGINAL_DST cluster goes.
constexpr absl::string_view kOriginalDstAddress =
    "envoy.network.transport_socket.original_dst_address";

// What sni_cluster leaves there. Threads: any.
class ClusterName final : public net::FilterState::Object {
public:
  explicit ClusterName(std::string name) : name_(std::move(name)) {}
  std::string serialize() const override { return name_; }

private:
  const std::string name_;
};

} // namespace culvert
