// SPDX-License-Identifier: Apache-2.0
#include "source/config/mesh/mesh_proto.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "culvert/mesh/v1/mesh.pb.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "source/base/proto.h"
#include "source/config/mesh/crl_file.h"
#include "source/config/mesh/mesh_log.h"
#include "source/config/mesh/mesh_tls.h"
#include "source/config/validate.h"
#include "source/mesh/certificates/lab_source.h"
#include "source/net/dns_resolver.h"

namespace culvert::config::node {
namespace {

using culvert::mesh::Certificates;
using culvert::mesh::CertificateSource;
using culvert::mesh::ConnectionRecord;
using culvert::mesh::IllegalPorts;
using culvert::mesh::NameLookups;
using culvert::mesh::NodeSettings;
using culvert::mesh::Text;
using culvert::mesh::v1::Mesh;

constexpr std::chrono::hours kValidityDefault(24);

class MeshFactory final : public registry::Factory {
public:
  std::string type() const override { return Mesh::descriptor()->full_name(); }
  std::string name() const override { return "culvert.bootstrap.mesh"; }
  std::unique_ptr<google::protobuf::Message> newConfig() const override {
    return std::make_unique<Mesh>();
  }
};

// Reads one extension, which stands at `path`.
class MeshReader {
public:
  MeshReader(const Mesh& proto, std::string path, Problems& problems)
      : proto_(proto), path_(std::move(path)), problems_(problems) {}

  std::unique_ptr<LoadedNode> read(culvert::tls::Contexts& contexts, stats::Scope& scope) {
    NodeSettings settings;
    settings.workload = {proto_.workload().name(), proto_.workload().namespace_(),
                         proto_.workload().service_account()};
    settings.node_name = proto_.node_name();
    settings.network = Text::copy(proto_.network());
    settings.readiness_address = address("readiness_address", proto_.readiness_address());
    settings.stats_address = address("stats_address", proto_.stats_address());
    settings.illegal_ports = IllegalPorts(proto_.socks5());
    auto source = certificateSource(contexts.main().clock());
    if (source == nullptr) {
      return nullptr;
    }
    culvert::mesh::TlsRules rules;
    rules.allow_tls12 = proto_.certificates().allow_tls12();
    rules.post_quantum_only = proto_.certificates().post_quantum_only();
    event::Loop& main = contexts.main();
    if (!proto_.certificates().crl_file().empty()) {
      rules.revocations = std::make_shared<culvert::tls::Revocations>(main);
    }
    auto names = std::make_unique<NameLookups>(
        main, proto_.ipv4_lookups_only() ? net::DnsFamily::kV4Only : net::DnsFamily::kAll,
        [&main, &scope] {
          return std::make_unique<net::CaresResolver>(main, scope, std::vector<net::Address>());
        });
    auto loaded = std::make_unique<LoadedNode>(
        main, std::move(settings),
        std::make_unique<Certificates>(contexts, std::move(source), rules, scope),
        std::move(names));
    using Direction = ConnectionRecord::Direction;
    countSockets(proto_.listeners().outbound(), Direction::kOutbound, scope, loaded->node);
    countSockets(proto_.listeners().inbound(), Direction::kInbound, scope, loaded->node);
    loadTable(*loaded);
    loadRevocations(rules.revocations, *loaded);
    return loaded;
  }

private:
  void fail(absl::string_view field, const absl::Status& status) {
    problems_.errorFrom(absl::InvalidArgumentError(absl::StrCat(field, ": ", status.message())),
                        path_);
  }

  net::Address address(absl::string_view field, const std::string& text) {
    if (text.empty()) {
      return {};
    }
    absl::StatusOr<net::Address> address = net::Address::parseIpPort(text);
    if (!address.ok()) {
      fail(field, address.status());
      return {};
    }
    return *std::move(address);
  }

  // A listener names the same gauge when it is made, and then it is one.
  template <class Prefixes>
  static void countSockets(const Prefixes& prefixes, ConnectionRecord::Direction direction,
                           stats::Scope& scope, culvert::mesh::Node& node) {
    for (const std::string& prefix : prefixes) {
      node.traffic().countSockets(
          direction, scope.gauge(absl::StrCat("listener.", prefix, ".downstream_cx_active")));
    }
  }

  std::unique_ptr<CertificateSource> certificateSource(const base::Clock& clock) {
    const auto& proto = proto_.certificates();
    const base::Duration validity = proto.has_validity() ? base::toDuration(proto.validity())
                                                         : base::Duration(kValidityDefault);
    const std::string& file = proto.lab_authority().file();
    auto source = culvert::mesh::makeLabSource(
        file.empty() ? culvert::mesh::defaultLabFile() : file, validity, clock);
    if (!source.ok()) {
      fail("certificates.lab_authority.file", source.status());
      return nullptr;
    }
    return *std::move(source);
  }

  void loadTable(LoadedNode& loaded) {
    if (proto_.local_file().empty()) {
      return;
    }
    auto source = MeshSource::ofFile(proto_.local_file(), loaded.node.table(), loaded.watcher);
    if (!source.ok()) {
      fail("local_file", source.status());
      return;
    }
    loaded.source = *std::move(source);
  }

  void loadRevocations(const std::shared_ptr<culvert::tls::Revocations>& revocations,
                       LoadedNode& loaded) {
    if (revocations == nullptr) {
      return;
    }
    auto file = followCrlFile(proto_.certificates().crl_file(), revocations, loaded.watcher);
    if (!file.ok()) {
      fail("certificates.crl_file", file.status());
      return;
    }
    loaded.crl_file = *std::move(file);
  }

  const Mesh& proto_;
  const std::string path_;
  Problems& problems_;
};

} // namespace

void registerMesh(registry::Registry& registry) {
  registry.add(registry::Category::kBootstrap, std::make_unique<MeshFactory>());
  registerMeshTls(registry);
  registerMeshLog(registry);
}

std::unique_ptr<LoadedNode> readMesh(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                                     culvert::tls::Contexts& contexts, stats::Scope& scope,
                                     Problems& problems) {
  for (int i = 0; i < bootstrap.bootstrap_extensions_size(); i++) {
    const auto& any = bootstrap.bootstrap_extensions(i).typed_config();
    const std::string path = absl::StrCat("bootstrap_extensions[", i, "].typed_config");
    Mesh proto;
    if (base::typeOf(any) == proto.GetTypeName() && unpack(any, path, proto, problems)) {
      return MeshReader(proto, path, problems).read(contexts, scope);
    }
  }
  return nullptr;
}

} // namespace culvert::config::node
