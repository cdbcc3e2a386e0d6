// SPDX-License-Identifier: Apache-2.0
#include "source/config/mesh/mesh_tls.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "culvert/mesh/v1/mesh.pb.h"
#include "source/filter_api/transport_socket.h"
#include "source/mesh/node/node.h"
#include "source/net/expected_peer.h"
#include "source/tls/contexts.h"
#include "source/upstream/factories.h"
#include "source/upstream/transport_socket.h"
#include "source/upstream/upstream.h"

namespace culvert::config::mesh {
namespace {

using culvert::mesh::Certificates;
using culvert::mesh::Node;
using culvert::mesh::v1::MeshTls;
using google::protobuf::Message;

constexpr char kName[] = "culvert.transport_sockets.mesh";

absl::Status noMesh() {
  return absl::InvalidArgumentError(
      "identity: the bootstrap has no extension culvert.bootstrap.mesh");
}

class DownstreamMeshTls final : public DownstreamTransport {
public:
  DownstreamMeshTls(std::string identity, Certificates& certificates)
      : identity_(std::move(identity)), certificates_(certificates) {}

  std::unique_ptr<net::Io> accept(event::Loop& loop,
                                  std::unique_ptr<net::Io> socket) const override {
    const auto secured = certificates_.find(identity_);
    return secured == nullptr
               ? culvert::tls::withoutSecrets(std::move(socket), /*connecting=*/false)
               : secured->server->get()->accept(loop, std::move(socket));
  }

private:
  const std::string identity_;
  Certificates& certificates_;
};

// Who may be at the other end: as configured, else as the client's connection says; null: nobody.
class UpstreamMeshTls final : public upstream::TransportSocketFactory {
public:
  UpstreamMeshTls(const MeshTls& proto, Certificates& certificates)
      : identity_(proto.identity()), certificates_(certificates),
        below_(upstream::makeRawTransport()) {
    if (!proto.expected_peers().empty()) {
      configured_ = std::make_shared<const net::ExpectedPeer>(
          std::vector<std::string>(proto.expected_peers().begin(), proto.expected_peers().end()));
    }
  }

  absl::StatusOr<std::unique_ptr<net::Io>>
  connect(event::Loop& loop, const net::HostDescription& host, const net::ConnectOptions& options,
          const upstream::LoadBalancerContext& context) const override {
    const auto secured = certificates_.find(identity_);
    if (secured == nullptr) {
      return absl::UnavailableError(absl::StrCat("identity error: no certificate for ", identity_));
    }
    auto socket = below_->connect(loop, host, options, context);
    if (!socket.ok()) {
      return socket;
    }
    const net::ExpectedPeer* const peer = expected(context);
    return secured->client->get()->connect(
        loop, *std::move(socket), "",
        peer == nullptr ? std::make_shared<const std::vector<std::string>>() : peer->uris());
  }
  bool secure() const override { return true; }
  std::string sharingKey(const upstream::LoadBalancerContext& context) const override {
    const net::ExpectedPeer* const peer = expected(context);
    return absl::StrCat(identity_, ">", peer == nullptr ? "" : peer->serialize());
  }

private:
  const net::ExpectedPeer* expected(const upstream::LoadBalancerContext& context) const {
    const net::ConnectionInfo* const downstream = context.downstream();
    if (configured_ != nullptr || downstream == nullptr || downstream->filter_state == nullptr) {
      return configured_.get();
    }
    return downstream->filter_state->find<net::ExpectedPeer>(net::ExpectedPeer::kKey);
  }

  const std::string identity_;
  Certificates& certificates_;
  const std::shared_ptr<upstream::TransportSocketFactory> below_;
  std::shared_ptr<const net::ExpectedPeer> configured_; // Null: as the connection says.
};

class DownstreamFactory final : public DownstreamTransportFactory {
public:
  std::string type() const override { return MeshTls::descriptor()->full_name(); }
  std::string name() const override { return kName; }
  std::unique_ptr<Message> newConfig() const override { return std::make_unique<MeshTls>(); }

  absl::StatusOr<std::shared_ptr<const DownstreamTransport>>
  create(const Message& message, FactoryContext& context, stats::Scope&) const override {
    const auto& proto = static_cast<const MeshTls&>(message);
    if (context.mesh == nullptr) {
      return noMesh();
    }
    if (!proto.expected_peers().empty()) {
      return absl::InvalidArgumentError(
          "expected_peers: of clusters only; a listener takes clients of its trust domain");
    }
    context.mesh->certificates().keep(proto.identity());
    return std::make_shared<const DownstreamMeshTls>(proto.identity(),
                                                     context.mesh->certificates());
  }
};

class UpstreamFactory final : public upstream::UpstreamTransportFactory {
public:
  std::string type() const override { return MeshTls::descriptor()->full_name(); }
  std::string name() const override { return kName; }
  std::unique_ptr<Message> newConfig() const override { return std::make_unique<MeshTls>(); }

  absl::StatusOr<std::shared_ptr<upstream::TransportSocketFactory>>
  create(const Message& message, const upstream::TransportContext& context) const override {
    const auto& proto = static_cast<const MeshTls&>(message);
    if (context.mesh == nullptr) {
      return noMesh();
    }
    context.mesh->certificates().keep(proto.identity());
    return std::make_shared<UpstreamMeshTls>(proto, context.mesh->certificates());
  }
};

} // namespace

void registerMeshTls(registry::Registry& registry) {
  using registry::Category;
  registry.add(Category::kTransportSocketIn, std::make_unique<DownstreamFactory>());
  registry.add(Category::kTransportSocketOut, std::make_unique<UpstreamFactory>());
}

} // namespace culvert::config::mesh
