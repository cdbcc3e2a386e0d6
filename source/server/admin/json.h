// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "source/base/clock.h"
#include "source/event/http_server.h"
#include "source/net/address.h"

namespace culvert::server {

// Keeps the order in which keys were set.
using Json = nlohmann::ordered_json;

// As Envoy prints JSON: indented by one blank, a newline at the end. Bytes that are no UTF-8 are
// replaced: names come from configuration, and nothing here may fail.
inline void answerJson(const Json& json, event::HttpResponse& response) {
  response.content_type = "application/json";
  response.body = json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// "91s", a google.protobuf.Duration.
inline std::string wholeSeconds(base::Duration duration) {
  return absl::StrCat(std::chrono::duration_cast<std::chrono::seconds>(duration).count(), "s");
}

// envoy.config.core.v3.Address.
inline Json toJson(const net::Address& address) {
  switch (address.kind()) {
  case net::Address::Kind::kIpv4:
  case net::Address::Kind::kIpv6:
    return {{"socket_address", {{"address", address.ipString()}, {"port_value", address.port()}}}};
  case net::Address::Kind::kPipe:
    return {{"pipe", {{"path", address.path()}}}};
  case net::Address::Kind::kInternal: {
    const std::string& path = address.path();
    const size_t slash = path.find('/');
    Json internal = {{"server_listener_name", path.substr(0, slash)}};
    if (slash != std::string::npos && slash + 1 < path.size())
      internal["endpoint_id"] = path.substr(slash + 1);
    return {{"envoy_internal_address", std::move(internal)}};
  }
  case net::Address::Kind::kNone:
    break;
  }
  return Json::object();
}

} // namespace culvert::server
