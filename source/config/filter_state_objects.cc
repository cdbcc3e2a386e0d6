// SPDX-License-Identifier: Apache-2.0
#include "source/config/filter_state_objects.h"

#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "source/filter_api/well_known_state.h"

namespace culvert::config {
namespace {

using ObjectPtr = std::shared_ptr<net::FilterState::Object>;

ObjectPtr makeString(std::string text) {
  return std::make_shared<net::StringState>(std::move(text));
}

ObjectPtr makeCluster(std::string text) { return std::make_shared<ClusterName>(std::move(text)); }

ObjectPtr makeNumber(std::string text) {
  uint64_t number;
  return absl::SimpleAtoi(text, &number) ? std::make_shared<net::NumberState>(number) : nullptr;
}

ObjectPtr makeBool(std::string text) {
  return text == "true" || text == "false" ? makeString(std::move(text)) : nullptr;
}

ObjectPtr makeAddress(std::string text) {
  const auto address = net::Address::parseIpPort(text);
  return address.ok() ? std::make_shared<net::AddressState>(*address) : nullptr;
}

struct Row {
  absl::string_view key;
  MakeStateObject make;
};
constexpr Row kRows[] = {
    {"envoy.string", makeString},
    {"envoy.hashable_string", makeString},
    {kTcpProxyCluster, makeCluster},
    {kTcpProxyIdleTimeout, makeNumber},
    {kTcpProxyNoTunnel, makeBool},
    {"envoy.network.transport_socket.original_dst_address", makeAddress},
    {"envoy.filters.listener.original_dst.local_ip", makeAddress},
    {"envoy.filters.listener.original_dst.remote_ip", makeAddress},
};

} // namespace

MakeStateObject findStateFactory(absl::string_view key) {
  for (const Row& row : kRows) {
    if (row.key == key) {
      return row.make;
    }
  }
  return nullptr;
}

} // namespace culvert::config
