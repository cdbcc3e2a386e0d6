// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "envoy/extensions/filters/network/set_filter_state/v3/set_filter_state.pb.h"
#include "source/config/filter_state_values.h"
#include "source/filter_api/filter.h"

namespace culvert {
namespace set_filter_state {
namespace {

using Proto = envoy::extensions::filters::network::set_filter_state::v3::Config;

// One entry of a chain. Threads: made on main, then any worker.
struct Config {
  config::FilterStateValues on_open;
  config::FilterStateValues on_handshake; // Where there is none, as soon as the connection is open.
  config::FilterStateValues on_first_bytes;
};

// Leaves values made of what is known of the connection for the filters behind and for the log.
class SetFilterState final : public Filter {
public:
  static constexpr const char* kNames[] = {"envoy.filters.network.set_filter_state"};

  SetFilterState(const Config& config, FilterContext&) : config_(config) {}

  Next onOpen() override {
    write(config_.on_open);
    if (connection().transport().open()) {
      onHandshake();
    }
    if (config_.on_first_bytes.empty()) {
      bypass();
    }
    return Next::kContinue;
  }

  void onHandshake() override { write(config_.on_handshake); }

  Next onData(Buffer&, bool) override {
    write(config_.on_first_bytes);
    bypass();
    return Next::kContinue;
  }

private:
  void write(const config::FilterStateValues& values) {
    ConnectionInfo& info = connection().info();
    info.bytes_received = connection().transport().bytesReceived();
    config::writeFilterState(values, info, connection().loop().clock());
  }

  const Config& config_;
};

absl::StatusOr<std::shared_ptr<const Config>> makeConfig(const Proto& proto, FactoryContext&) {
  auto on_open = config::makeFilterStateValues(proto.on_new_connection(), "on_new_connection");
  if (!on_open.ok()) {
    return on_open.status();
  }
  auto on_handshake = config::makeFilterStateValues(proto.on_downstream_tls_handshake(),
                                                    "on_downstream_tls_handshake");
  if (!on_handshake.ok()) {
    return on_handshake.status();
  }
  auto on_first_bytes =
      config::makeFilterStateValues(proto.on_downstream_data(), "on_downstream_data");
  if (!on_first_bytes.ok()) {
    return on_first_bytes.status();
  }
  return std::make_shared<const Config>(
      Config{*std::move(on_open), *std::move(on_handshake), *std::move(on_first_bytes)});
}

} // namespace
} // namespace set_filter_state

CULVERT_NETWORK_FILTER(set_filter_state,
                       envoy::extensions::filters::network::set_filter_state::v3::Config,
                       set_filter_state::SetFilterState, set_filter_state::makeConfig)

} // namespace culvert
