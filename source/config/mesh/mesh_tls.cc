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

namespace culvert::config::node {
namespace {

using culvert::mesh::Certificates;
using culvert::mesh::Node;
using culvert::mesh::v1::MeshTls;
using google::protobuf::Message;

constexpr char kName[] = "culvert.transport_sockets.mesh";

absl::Status noMesh() {
  return absl::InvalidArgumentError(absl::StrCat("identity: ", culvert::mesh::kNoNode));
}

// Whose certificate a connection shows: the configured one, or the node's of now.
class Own {
public:
  Own(std::string identity, Node& node) : identity_(std::move(identity)), node_(node) {
    if (!identity_.empty()) {
      node_.certificates().keep(identity_);
    }
  }

  std::string identity() const { return identity_.empty() ? node_.localIdentity() : identity_; }
  // Null: there is none yet.
  std::shared_ptr<const Certificates::Secured> find() const {
    const std::string identity = this->identity();
    return identity.empty() ? nullptr : node_.certificates().find(identity);
  }

private:
  const std::string identity_; // "": the node's.
  Node& node_;
};

class DownstreamMeshTls final : public DownstreamTransport {
public:
  explicit DownstreamMeshTls(Own own) : own_(std::move(own)) {}

  std::unique_ptr<net::Io> accept(event::Loop& loop,
                                  std::unique_ptr<net::Io> socket) const override {
    const auto secured = own_.find();
    return secured == nullptr
               ? culvert::tls::withoutSecrets(std::move(socket), /*connecting=*/false)
               : secured->server->get()->accept(loop, std::move(socket));
  }

private:
  const Own own_;
};

// Who may be at the other end: as configured, else as the client's connection says; null: nobody.
class UpstreamMeshTls final : public upstream::TransportSocketFactory {
public:
  UpstreamMeshTls(const MeshTls& proto, Node& node)
      : own_(proto.identity(), node), below_(upstream::makeRawTransport()) {
    if (!proto.expected_peers().empty()) {
      configured_ = std::make_shared<const net::ExpectedPeer>(
          std::vector<std::string>(proto.expected_peers().begin(), proto.expected_peers().end()));
    }
  }

  absl::StatusOr<std::unique_ptr<net::Io>>
  connect(event::Loop& loop, const net::HostDescription& host, const net::ConnectOptions& options,
          const upstream::LoadBalancerContext& context) const override {
    const auto secured = own_.find();
    if (secured == nullptr) {
      return absl::UnavailableError(
          absl::StrCat("identity error: no certificate for '", own_.identity(), "'"));
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
    return absl::StrCat(own_.identity(), ">", peer == nullptr ? "" : peer->serialize());
  }

private:
  const net::ExpectedPeer* expected(const upstream::LoadBalancerContext& context) const {
    const net::ConnectionInfo* const downstream = context.downstream();
    if (configured_ != nullptr || downstream == nullptr || downstream->filter_state == nullptr) {
      return configured_.get();
    }
    return downstream->filter_state->find<net::ExpectedPeer>(net::ExpectedPeer::kKey);
  }

  const Own own_;
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
    return std::make_shared<const DownstreamMeshTls>(Own(proto.identity(), *context.mesh));
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
    return std::make_shared<UpstreamMeshTls>(proto, *context.mesh);
  }
};

} // namespace

void registerMeshTls(registry::Registry& registry) {
  using registry::Category;
  registry.add(Category::kTransportSocketIn, std::make_unique<DownstreamFactory>());
  registry.add(Category::kTransportSocketOut, std::make_unique<UpstreamFactory>());
}

} // namespace culvert::config::node
