// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.pb.h"
#include "source/base/log.h"
#include "source/filter_api/listener_filter.h"
#include "source/filters/proxy_protocol/config.h"
#include "source/filters/proxy_protocol/header.h"
#include "source/net/proxy_header.h"

namespace culvert {
namespace proxy_protocol {
namespace {

using Kind = ParsedHeader::Kind;

// What rules picked, for the access log and for filters behind.
class PickedTlvs final : public net::FilterState::Object {
public:
  static constexpr absl::string_view kKey = "envoy.network.proxy_protocol.tlv";

  explicit PickedTlvs(net::Value::Fields fields) : value_{std::move(fields)} {}

  std::string serialize() const override { return toJson(fields()); }
  net::Value typed() const override { return value_; }
  std::optional<std::string> field(absl::string_view name) const override {
    const auto it = fields().find(name);
    return it == fields().end() ? std::nullopt
                                : std::optional(std::get<std::string>(it->second.kind));
  }

private:
  const net::Value::Fields& fields() const { return std::get<net::Value::Fields>(value_.kind); }

  const net::Value value_;
};

// Takes the PROXY header off a connection and believes what it says of the addresses. Everybody who
// can reach the listener can say anything: it belongs behind proxies that are trusted.
class ProxyProtocol final : public ListenerFilter {
public:
  static constexpr const char* kNames[] = {"envoy.filters.listener.proxy_protocol",
                                           "envoy.listener.proxy_protocol"};

  explicit ProxyProtocol(const Config& config)
      : config_(config), stats_(config.stats()),
        needed_bytes_(config.allow_no_header ? 1 : kFixedBytes) {}

  Verdict onAccept() override { return Verdict::kWait; }
  Verdict onData(absl::string_view bytes) override;
  size_t maxBytes() const override { return look_bytes_; }

private:
  static constexpr size_t kFirstLookBytes = 256;
  static constexpr size_t kFixedBytes = 16; // Of a header of version 2.

  Verdict onHeader(const ParsedHeader& header);
  Verdict onNoHeader();
  Verdict onMalformed(int version);
  void leaveAddresses(const ParsedHeader& header);
  void leaveTlvs(absl::string_view tlvs);

  const Config& config_;
  Stats& stats_;
  const size_t needed_bytes_; // Fewer are not refused yet, as by Envoy.
  size_t look_bytes_ = kFirstLookBytes;
};

Verdict ProxyProtocol::onData(absl::string_view bytes) {
  const ParsedHeader header = parseHeader(bytes);
  switch (header.kind) {
  case Kind::kHeader:
    return onHeader(header);
  case Kind::kNone:
    return bytes.size() >= needed_bytes_ ? onNoHeader() : Verdict::kWait;
  case Kind::kMalformed:
    return onMalformed(header.version);
  case Kind::kNeedMore:
    look_bytes_ = std::max(look_bytes_, header.bytes);
    break;
  }
  return Verdict::kWait;
}

Verdict ProxyProtocol::onHeader(const ParsedHeader& header) {
  Stats::Version& version = stats_.of(header.version);
  version.found.add();
  if (config_.disallows(header.version)) {
    version.disallowed.add();
    return Verdict::kClose;
  }
  leaveAddresses(header); // Before the bytes that it points into are gone.
  leaveTlvs(header.tlvs);
  connection().drop(header.bytes);
  return Verdict::kContinue;
}

Verdict ProxyProtocol::onNoHeader() {
  if (config_.allow_no_header) {
    stats_.not_found_allowed.add();
    return Verdict::kContinue;
  }
  stats_.not_found_disallowed.add();
  stats_.downstream_cx_proxy_proto_error.add();
  return Verdict::kClose;
}

Verdict ProxyProtocol::onMalformed(int version) {
  LOG(debug, filter, "malformed PROXY header of version %d from %s", version,
      connection().info().direct_remote.toString());
  stats_.of(version).error.add();
  stats_.downstream_cx_proxy_proto_error.add();
  return Verdict::kClose;
}

void ProxyProtocol::leaveAddresses(const ParsedHeader& header) {
  ConnectionInfo& info = connection().info();
  if (header.has_addresses) {
    info.remote = header.source;
    info.local = header.destination;
    info.local_restored = true;
  }
  std::vector<net::ProxyHeader::Tlv> passed;
  forEachTlv(header.tlvs, [&](uint8_t type, absl::string_view value) {
    if (config_.passes(type)) {
      passed.push_back({type, std::string(value)});
    }
  });
  info.mutableFilterState().set(
      net::ProxyHeader::kKey,
      std::make_shared<net::ProxyHeader>(info.remote, info.local, std::move(passed)));
}

// Of several values under one key metadata keeps the first, filter state the last.
void ProxyProtocol::leaveTlvs(absl::string_view tlvs) {
  if (!config_.hasRules()) {
    return;
  }
  std::map<std::string, net::Value::Fields, std::less<>> picked;
  forEachTlv(tlvs, [&](uint8_t type, absl::string_view value) {
    if (const Rule* const rule = config_.ruleFor(type)) {
      net::Value::Fields& fields = picked[rule->metadata_namespace];
      if (config_.to_filter_state || !fields.contains(rule->key)) {
        fields.insert_or_assign(rule->key, net::Value{rule->encode(value)});
      }
    }
  });
  ConnectionInfo& info = connection().info();
  for (auto& [space, fields] : picked) {
    if (config_.to_filter_state) {
      info.mutableFilterState().set(PickedTlvs::kKey,
                                    std::make_shared<PickedTlvs>(std::move(fields)));
    } else {
      info.mutableDynamicMetadata().merge(space, std::move(fields));
    }
  }
}

} // namespace
} // namespace proxy_protocol

CULVERT_LISTENER_FILTER(proxy_protocol, proxy_protocol::Config::Proto,
                        proxy_protocol::ProxyProtocol, proxy_protocol::Config::create)

} // namespace culvert
