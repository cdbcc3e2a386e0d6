// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/network/set_filter_state/v3/set_filter_state.pb.h"
#include "source/access_log/access_log.h"
#include "source/access_log/formatter.h"
#include "source/filter_api/filter.h"
#include "source/filters/set_filter_state/objects.h"

namespace culvert {
namespace set_filter_state {
namespace {

namespace pb = envoy::extensions::filters::common::set_filter_state::v3;
using Proto = envoy::extensions::filters::network::set_filter_state::v3::Config;

// An object that is to be written.
struct Value {
  std::string key;
  MakeObject make;
  access_log::Formatter::Ptr format;
  bool skip_if_empty;
  net::FilterState::Sharing sharing;
};
using Values = std::vector<Value>;

// One entry of a chain. Threads: made on main, then any worker.
struct Config {
  Values on_open;
  Values on_handshake; // Where there is none, as soon as the connection is open.
  Values on_first_bytes;
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
  void write(const Values& values) {
    ConnectionInfo& info = connection().info();
    const base::Clock& clock = connection().loop().clock();
    info.bytes_received = connection().transport().bytesReceived();
    const access_log::Entry entry{info, access_log::Type::kNotSet, clock.now(), clock.wallNow()};
    for (const Value& value : values) {
      std::string text;
      value.format->append(entry, text);
      if (text.empty() && value.skip_if_empty) {
        continue;
      }
      if (auto object = value.make(std::move(text))) {
        info.mutableFilterState().set(value.key, std::move(object), value.sharing);
      }
    }
  }

  const Config& config_;
};

net::FilterState::Sharing sharingOf(const pb::FilterStateValue& proto) {
  using Sharing = net::FilterState::Sharing;
  return proto.shared_with_upstream() == pb::FilterStateValue::ONCE         ? Sharing::kOnce
         : proto.shared_with_upstream() == pb::FilterStateValue::TRANSITIVE ? Sharing::kTransitive
                                                                            : Sharing::kNone;
}

absl::StatusOr<Value> makeValue(const pb::FilterStateValue& proto) {
  const bool named = !proto.factory_key().empty();
  const MakeObject make = findFactory(named ? proto.factory_key() : proto.object_key());
  if (make == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(named ? ".factory_key: '" : ".object_key: '",
                                                   proto.object_key(),
                                                   "' does not have an object factory"));
  }
  auto format = access_log::Formatter::create(proto.format_string());
  if (!format.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(".format_string.", format.status().message()));
  }
  return Value{proto.object_key(), make, *std::move(format), proto.skip_if_empty(),
               sharingOf(proto)};
}

absl::StatusOr<Values>
makeValues(const google::protobuf::RepeatedPtrField<pb::FilterStateValue>& protos,
           absl::string_view field) {
  Values values;
  for (const auto& proto : protos) {
    auto value = makeValue(proto);
    if (!value.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, "[", values.size(), "]", value.status().message()));
    }
    values.push_back(*std::move(value));
  }
  return values;
}

absl::StatusOr<std::shared_ptr<const Config>> makeConfig(const Proto& proto, FactoryContext&) {
  auto on_open = makeValues(proto.on_new_connection(), "on_new_connection");
  if (!on_open.ok()) {
    return on_open.status();
  }
  auto on_handshake =
      makeValues(proto.on_downstream_tls_handshake(), "on_downstream_tls_handshake");
  if (!on_handshake.ok()) {
    return on_handshake.status();
  }
  auto on_first_bytes = makeValues(proto.on_downstream_data(), "on_downstream_data");
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
