// SPDX-License-Identifier: Apache-2.0
#include "source/config/mesh/mesh_proto.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "culvert/mesh/v1/mesh.pb.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "source/base/proto.h"
#include "source/config/mesh/mesh_tls.h"
#include "source/config/validate.h"
#include "source/mesh/certificates/lab_source.h"
#include "source/mesh/node/node.h"
#include "source/tls/contexts.h"

namespace culvert::config::mesh {
namespace {

using culvert::mesh::Certificates;
using culvert::mesh::CertificateSource;
using culvert::mesh::Node;
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

absl::StatusOr<std::unique_ptr<CertificateSource>>
sourceOf(const culvert::mesh::v1::Certificates& proto, const base::Clock& clock) {
  const base::Duration validity =
      proto.has_validity() ? base::toDuration(proto.validity()) : base::Duration(kValidityDefault);
  const std::string& file = proto.lab_authority().file();
  return culvert::mesh::makeLabSource(file.empty() ? culvert::mesh::defaultLabFile() : file,
                                      validity, clock);
}

std::unique_ptr<Node> makeNode(const Mesh& proto, const std::string& path,
                               culvert::tls::Contexts& contexts, stats::Scope& scope,
                               Problems& problems) {
  auto source = sourceOf(proto.certificates(), contexts.main().clock());
  if (!source.ok()) {
    problems.errorFrom(
        absl::InvalidArgumentError(absl::StrCat("lab_authority.file: ", source.status().message())),
        absl::StrCat(path, ".certificates"));
    return nullptr;
  }
  culvert::mesh::TlsRules rules;
  rules.allow_tls12 = proto.certificates().allow_tls12();
  return std::make_unique<Node>(
      std::make_unique<Certificates>(contexts, *std::move(source), rules, scope));
}

} // namespace

void registerMesh(registry::Registry& registry) {
  registry.add(registry::Category::kBootstrap, std::make_unique<MeshFactory>());
  registerMeshTls(registry);
}

std::unique_ptr<Node> readMesh(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                               culvert::tls::Contexts& contexts, stats::Scope& scope,
                               Problems& problems) {
  for (int i = 0; i < bootstrap.bootstrap_extensions_size(); i++) {
    const auto& any = bootstrap.bootstrap_extensions(i).typed_config();
    const std::string path = absl::StrCat("bootstrap_extensions[", i, "].typed_config");
    Mesh proto;
    if (base::typeOf(any) == proto.GetTypeName() && unpack(any, path, proto, problems)) {
      return makeNode(proto, path, contexts, scope, problems);
    }
  }
  return nullptr;
}

} // namespace culvert::config::mesh
