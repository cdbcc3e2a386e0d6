// SPDX-License-Identifier: Apache-2.0
#include "source/config/tls/tls_factories.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "source/base/field_error.h"
#include "source/config/tls/secrets.h"
#include "source/config/tls/tls_proto.h"
#include "source/filter_api/transport_socket.h"
#include "source/net/socket_io.h"
#include "source/tls/contexts.h"
#include "source/upstream/factories.h"
#include "source/upstream/transport_socket.h"

namespace culvert::config::tls {
namespace {

using culvert::tls::Context;
using culvert::tls::ContextConfig;
using culvert::tls::Contexts;
using culvert::tls::ContextSlot;
using culvert::tls::Stats;
using envoy::extensions::transport_sockets::tls::v3::CommonTlsContext;
using envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;
using envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext;
using google::protobuf::Message;

using SlotPtr = std::shared_ptr<const ContextSlot>;

constexpr char kCommon[] = "common_tls_context";

// A slot for what `make` makes of the message's certificates and rules.
template <class Make>
absl::StatusOr<std::shared_ptr<ContextSlot>>
addSlot(const CommonTlsContext& common, Contexts& contexts, Secrets& secrets,
        const std::shared_ptr<Stats>& stats, Make make) {
  if (common.tls_certificates_size() > 0 && common.tls_certificate_sds_secret_configs_size() > 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        kCommon, ".tls_certificate_sds_secret_configs: there are tls_certificates already"));
  }
  auto named = secrets.find(common);
  if (!named.ok()) {
    return base::errorWithin(kCommon, named.status());
  }
  const auto maker = [common, named = *named, make]() -> absl::StatusOr<ContextSlot::ContextPtr> {
    if (!named.ready()) {
      return ContextSlot::ContextPtr();
    }
    auto config = readCommon(common, named);
    if (!config.ok()) {
      return config.status();
    }
    return make(*config);
  };
  auto slot = contexts.add(maker, stats, watchedFiles(common));
  if (!slot.ok()) {
    return base::errorWithin(kCommon, slot.status());
  }
  named->serve(*slot);
  return slot;
}

class DownstreamTls final : public DownstreamTransport {
public:
  explicit DownstreamTls(SlotPtr slot) : slot_(std::move(slot)) {}
  std::unique_ptr<net::Io> accept(event::Loop& loop,
                                  std::unique_ptr<net::Io> socket) const override {
    const auto context = slot_->get();
    if (context == nullptr) {
      slot_->stats().downstream_context_secrets_not_ready.add();
      return culvert::tls::withoutSecrets(std::move(socket), /*connecting=*/false);
    }
    return context->accept(loop, std::move(socket));
  }

private:
  const SlotPtr slot_;
};

class UpstreamTls final : public upstream::TransportSocketFactory {
public:
  UpstreamTls(SlotPtr slot, culvert::tls::ClientConfig client)
      : slot_(std::move(slot)), client_(std::move(client)), below_(upstream::makeRawTransport()) {}

  absl::StatusOr<std::unique_ptr<net::Io>>
  connect(event::Loop& loop, const net::HostDescription& host, const net::ConnectOptions& options,
          const upstream::LoadBalancerContext& context) const override {
    auto socket = below_->connect(loop, host, options, context);
    if (!socket.ok()) {
      return socket;
    }
    const auto tls = slot_->get();
    if (tls == nullptr) {
      slot_->stats().upstream_context_secrets_not_ready.add();
      return culvert::tls::withoutSecrets(*std::move(socket), /*connecting=*/true);
    }
    const bool by_host = client_.host_name_first && !host.hostname.empty();
    return tls->connect(loop, *std::move(socket), by_host ? host.hostname : client_.server_name);
  }

  bool secure() const override { return true; }

private:
  const SlotPtr slot_;
  const culvert::tls::ClientConfig client_;
  const std::shared_ptr<TransportSocketFactory> below_;
};

class DownstreamTlsFactory final : public DownstreamTransportFactory {
public:
  std::string type() const override { return DownstreamTlsContext::descriptor()->full_name(); }
  std::string name() const override { return "envoy.transport_sockets.tls"; }
  std::vector<std::string> aliases() const override { return {"tls"}; }
  std::unique_ptr<Message> newConfig() const override {
    return std::make_unique<DownstreamTlsContext>();
  }

  absl::StatusOr<std::shared_ptr<const DownstreamTransport>>
  create(const Message& message, FactoryContext& context, stats::Scope& scope) const override {
    const auto& proto = static_cast<const DownstreamTlsContext&>(message);
    const auto stats = Stats::create(context.tls->main(), scope, "server");
    const auto make = [server = readServer(proto), stats](const ContextConfig& config) {
      return Context::createServer(config, server, stats);
    };
    auto slot = addSlot(proto.common_tls_context(), *context.tls, *context.secrets, stats, make);
    if (!slot.ok()) {
      return slot.status();
    }
    return std::make_shared<const DownstreamTls>(*std::move(slot));
  }
};

class UpstreamTlsFactory final : public upstream::UpstreamTransportFactory {
public:
  std::string type() const override { return UpstreamTlsContext::descriptor()->full_name(); }
  std::string name() const override { return "envoy.transport_sockets.tls"; }
  std::vector<std::string> aliases() const override { return {"tls"}; }
  std::unique_ptr<Message> newConfig() const override {
    return std::make_unique<UpstreamTlsContext>();
  }

  absl::StatusOr<std::shared_ptr<upstream::TransportSocketFactory>>
  create(const Message& message, const upstream::TransportContext& context) const override {
    const auto& proto = static_cast<const UpstreamTlsContext&>(message);
    const CommonTlsContext& common = proto.common_tls_context();
    if (common.tls_certificates_size() + common.tls_certificate_sds_secret_configs_size() > 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(kCommon, ".tls_certificates: Multiple TLS certificates are not supported "
                                "for client contexts"));
    }
    culvert::tls::ClientConfig client = readClient(proto);
    const auto stats = Stats::create(context.tls->main(), *context.scope, "client");
    const bool by_server_name = proto.auto_sni_san_validation();
    if (by_server_name && common.validation_context_type_case() ==
                              CommonTlsContext::VALIDATION_CONTEXT_TYPE_NOT_SET) {
      return absl::InvalidArgumentError(
          "auto_sni_san_validation: 'auto_sni_san_validation' was configured without a validation "
          "context");
    }
    const bool http2 = context.cluster.http.http2;
    const auto make = [client, stats, by_server_name, http2](ContextConfig config) {
      if (config.validation) {
        config.validation->match_server_name = by_server_name;
      }
      if (http2 && config.alpn_protocols.empty()) {
        config.alpn_protocols = {"h2"};
      }
      return Context::createClient(config, client, stats);
    };
    auto slot = addSlot(common, *context.tls, *context.secrets, stats, make);
    if (!slot.ok()) {
      return slot.status();
    }
    return std::make_shared<UpstreamTls>(*std::move(slot), std::move(client));
  }
};

class RawBufferFactory final : public DownstreamTransportFactory {
public:
  using RawBuffer = envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;

  std::string type() const override { return RawBuffer::descriptor()->full_name(); }
  std::string name() const override { return "envoy.transport_sockets.raw_buffer"; }
  std::vector<std::string> aliases() const override { return {"raw_buffer"}; }
  std::unique_ptr<Message> newConfig() const override { return std::make_unique<RawBuffer>(); }

  absl::StatusOr<std::shared_ptr<const DownstreamTransport>> create(const Message&, FactoryContext&,
                                                                    stats::Scope&) const override {
    return std::shared_ptr<const DownstreamTransport>(); // None: the socket as it is.
  }
};

} // namespace

void registerTls(registry::Registry& registry) {
  using registry::Category;
  registry.add(Category::kTransportSocketIn, std::make_unique<DownstreamTlsFactory>());
  registry.add(Category::kTransportSocketIn, std::make_unique<RawBufferFactory>());
  registry.add(Category::kTransportSocketOut, std::make_unique<UpstreamTlsFactory>());
}

} // namespace culvert::config::tls
