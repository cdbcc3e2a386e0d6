// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/transport_proto.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/extensions/transport_sockets/internal_upstream/v3/internal_upstream.pb.h"
#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "source/upstream/endpoint_proto.h"
#include "source/upstream/internal_transport.h"
#include "source/upstream/named_factory.h"
#include "source/upstream/transport_socket.h"

namespace culvert::upstream {
namespace {

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

} // namespace

absl::StatusOr<std::shared_ptr<TransportSocketFactory>>
parseTransport(const envoy::config::core::v3::TransportSocket& proto,
               const TransportContext& context) {
  const std::string& url = proto.typed_config().type_url();
  const std::string type = url.substr(url.rfind('/') + 1);
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
  return made.ok() ? made
                   : absl::InvalidArgumentError(absl::StrCat(kPath, ".", made.status().message()));
}

void registerTransports(registry::Registry& registry) {
  registry.add(Category::kTransportSocketOut,
               std::make_unique<RawTransportFactory>("envoy.transport_sockets.raw_buffer"));
  registry.add(Category::kTransportSocketOut, std::make_unique<InternalTransportFactory>(
                                                  "envoy.transport_sockets.internal_upstream"));
}

} // namespace culvert::upstream
