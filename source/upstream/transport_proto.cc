// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/transport_proto.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/core/v3/proxy_protocol.pb.h"
#include "envoy/extensions/transport_sockets/internal_upstream/v3/internal_upstream.pb.h"
#include "envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.pb.h"
#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "source/base/proto.h"
#include "source/upstream/endpoint_proto.h"
#include "source/upstream/internal_transport.h"
#include "source/upstream/named_factory.h"
#include "source/upstream/proxy_header_transport.h"
#include "source/upstream/transport_socket.h"

namespace culvert::upstream {
namespace {

namespace core = envoy::config::core::v3;

using google::protobuf::Message;
using registry::Category;

class RawTransportFactory final
    : public Named<UpstreamTransportFactory,
                   envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer> {
public:
  using Named::Named;
  std::vector<std::string> aliases() const override { return {"raw_buffer"}; }
  absl::StatusOr<std::shared_ptr<TransportSocketFactory>>
  create(const Message&, const TransportContext&) const override {
    return makeRawTransport();
  }
};

using InternalUpstream =
    envoy::extensions::transport_sockets::internal_upstream::v3::InternalUpstreamTransport;

class InternalTransportFactory final : public Named<UpstreamTransportFactory, InternalUpstream> {
public:
  using Named::Named;
  absl::StatusOr<std::shared_ptr<TransportSocketFactory>>
  create(const Message& message, const TransportContext& context) const override {
    const auto& proto = static_cast<const InternalUpstream&>(message);
    InternalTransportConfig config;
    for (const InternalUpstream::MetadataValueSource& source : proto.passthrough_metadata()) {
      config.metadata.push_back({source.kind().has_host(), source.name()});
    }
    auto transport = parseTransport(proto.transport_socket(), context);
    if (!transport.ok()) {
      return transport.status();
    }
    config.transport = *std::move(transport);
    config.cluster_metadata = context.cluster.metadata;
    config.scope = context.scope->scope("");
    return makeInternalTransport(std::move(config));
  }
};

using ProxyUpstream =
    envoy::extensions::transport_sockets::proxy_protocol::v3::ProxyProtocolUpstreamTransport;

class ProxyHeaderTransportFactory final : public Named<UpstreamTransportFactory, ProxyUpstream> {
public:
  using Named::Named;
  absl::StatusOr<std::shared_ptr<TransportSocketFactory>>
  create(const Message& message, const TransportContext& context) const override {
    const auto& proto = static_cast<const ProxyUpstream&>(message);
    ProxyHeaderTransportConfig config;
    config.version = proto.config().version() == core::ProxyProtocolConfig::V2 ? 2 : 1;
    for (int i = 0; i < proto.config().added_tlvs_size(); i++) {
      const core::TlvEntry& tlv = proto.config().added_tlvs(i);
      if (tlv.value().empty()) {
        return errorAt(absl::StrCat("config.added_tlvs[", i, "]"),
                       "Invalid TLV configuration: one of 'value' or 'format_string' must be set.");
      }
      config.added.push_back({static_cast<uint8_t>(tlv.type()), tlv.value()});
    }
    if (proto.config().has_pass_through_tlvs()) {
      readPassed(proto.config().pass_through_tlvs(), config.passed);
    }
    auto transport = parseTransport(proto.transport_socket(), context);
    if (!transport.ok()) {
      return transport.status();
    }
    config.transport = *std::move(transport);
    config.scope = context.scope->scope("");
    return makeProxyHeaderTransport(std::move(config));
  }

private:
  static void readPassed(const core::ProxyProtocolPassThroughTLVs& proto,
                         std::bitset<256>& passed) {
    if (proto.match_type() == core::ProxyProtocolPassThroughTLVs::INCLUDE_ALL) {
      passed.set();
    }
    for (const uint32_t type : proto.tlv_type()) {
      passed.set(type);
    }
  }
};

} // namespace

absl::StatusOr<std::shared_ptr<TransportSocketFactory>>
parseTransport(const envoy::config::core::v3::TransportSocket& proto,
               const TransportContext& context) {
  const std::string type = base::typeOf(proto.typed_config());
  const auto* const factory = static_cast<const UpstreamTransportFactory*>(
      type.empty() ? context.registry.findByName(Category::kTransportSocketOut, proto.name())
                   : context.registry.findFactory(Category::kTransportSocketOut, type));
  if (factory == nullptr) {
    return errorAt("transport_socket", absl::StrCat("Didn't find a registered implementation for '",
                                                    proto.name(), "' with type URL: '", type, "'"));
  }
  constexpr absl::string_view kPath = "transport_socket.typed_config";
  const std::unique_ptr<Message> message = factory->newConfig();
  if (!message->ParseFromString(proto.typed_config().value())) {
    return errorAt(kPath, absl::StrCat("Unable to unpack as ", factory->type()));
  }
  auto made = factory->create(*message, context);
  return made.ok() ? made : base::errorWithin(kPath, made.status());
}

void registerTransports(registry::Registry& registry) {
  registry.add(Category::kTransportSocketOut,
               std::make_unique<RawTransportFactory>("envoy.transport_sockets.raw_buffer"));
  registry.add(Category::kTransportSocketOut, std::make_unique<InternalTransportFactory>(
                                                  "envoy.transport_sockets.internal_upstream"));
  registry.add(Category::kTransportSocketOut,
               std::make_unique<ProxyHeaderTransportFactory>(
                   "envoy.transport_sockets.upstream_proxy_protocol"));
}

} // namespace culvert::upstream
