// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/event_json.h"

#include "absl/time/time.h"

namespace culvert::upstream {

Json addressJson(const net::Address& address) {
  if (address.isIp()) {
    return {{"socket_address",
             {{"protocol", "TCP"},
              {"address", address.ipString()},
              {"port_value", address.port()},
              {"resolver_name", ""},
              {"ipv4_compat", false},
              {"network_namespace_filepath", ""}}}};
  }
  if (address.kind() == net::Address::Kind::kPipe) {
    return {{"pipe", {{"path", address.path()}, {"mode", 0}}}};
  }
  return {{"envoy_internal_address", {{"server_listener_name", address.path()}}}};
}

std::string timeText(base::WallTime time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromChrono(time), absl::UTCTimeZone());
}

std::string lineOf(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace culvert::upstream
