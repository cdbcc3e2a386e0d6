// SPDX-License-Identifier: Apache-2.0
#include "source/config/tls/secrets.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/admin/v3/config_dump.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "source/base/field_error.h"
#include "source/base/proto.h"

namespace culvert::config::tls {
namespace {

const char* unknownText(SecretKind kind) {
  return kind == SecretKind::kCertificate ? "Unknown static secret: "
                                          : "Unknown static certificate validation context: ";
}

} // namespace

bool NamedSecrets::ready() const {
  return std::all_of(certificates.begin(), certificates.end(),
                     [](const auto& secret) { return secret->get() != nullptr; }) &&
         (validation == nullptr || validation->get() != nullptr);
}

void NamedSecrets::serve(const std::shared_ptr<culvert::tls::ContextSlot>& slot) const {
  for (const auto& secret : certificates) {
    secret->serve(slot);
  }
  if (validation != nullptr) {
    validation->serve(slot);
  }
}

Secrets::Secrets(const FileSubscriptionContext& files, stats::Scope& root,
                 const std::vector<Extension>& extensions)
    : environment_{files, root, extensions} {}

Secrets::~Secrets() = default;

void Secrets::addStatic(const NamedSecret::Message& secret, const std::string& path,
                        Problems& problems) {
  const SecretKind kind =
      secret.has_validation_context() ? SecretKind::kValidation : SecretKind::kCertificate;
  auto named = std::make_shared<NamedSecret>(secret.name(),
                                             std::make_unique<const NamedSecret::Message>(secret));
  if (!static_.emplace(std::pair(kind, secret.name()), std::move(named)).second) {
    problems.error(path + ".name", "another secret has the same name",
                   absl::StrCat("Duplicate static ",
                                kind == SecretKind::kCertificate ? "TlsCertificate"
                                                                 : "CertificateValidationContext",
                                " secret name ", secret.name()));
  }
}

absl::StatusOr<NamedSecrets> Secrets::find(const Common& context) {
  NamedSecrets found;
  for (int i = 0; i < context.tls_certificate_sds_secret_configs_size(); i++) {
    auto secret = findOne(context.tls_certificate_sds_secret_configs(i), SecretKind::kCertificate);
    if (!secret.ok()) {
      return base::errorAt(absl::StrCat("tls_certificate_sds_secret_configs[", i, "]"),
                           secret.status().message());
    }
    found.certificates.push_back(*std::move(secret));
  }
  const bool combined = context.has_combined_validation_context();
  if (combined || context.has_validation_context_sds_secret_config()) {
    auto secret = findOne(
        combined ? context.combined_validation_context().validation_context_sds_secret_config()
                 : context.validation_context_sds_secret_config(),
        SecretKind::kValidation);
    if (!secret.ok()) {
      return base::errorAt(absl::StrCat(combined ? "combined_validation_context." : "",
                                        "validation_context_sds_secret_config"),
                           secret.status().message());
    }
    found.validation = *std::move(secret);
  }
  return found;
}

absl::StatusOr<std::shared_ptr<NamedSecret>> Secrets::findOne(const Config& config,
                                                              SecretKind kind) {
  if (config.has_sds_config()) {
    return findFile(config, kind);
  }
  const auto it = static_.find(std::pair(kind, config.name()));
  if (it == static_.end()) {
    return absl::InvalidArgumentError(absl::StrCat(unknownText(kind), config.name()));
  }
  return it->second;
}

absl::StatusOr<std::shared_ptr<NamedSecret>> Secrets::findFile(const Config& config,
                                                               SecretKind kind) {
  const auto& source = config.sds_config();
  SecretFile origin{config.name(), kind,
                    source.has_path_config_source() ? source.path_config_source().path()
                                                    : source.path(),
                    source.path_config_source().watched_directory().path()};
  if (const auto it = files_.find(origin); it != files_.end()) {
    if (std::shared_ptr<FileSecret> secret = it->second.lock()) {
      return secret;
    }
  }
  std::erase_if(files_, [](const auto& entry) { return entry.second.expired(); });
  auto secret = FileSecret::create(origin, environment_);
  if (!secret.ok()) {
    return secret.status();
  }
  files_.emplace(origin, *secret);
  return *std::move(secret);
}

void Secrets::dump(base::WallTime loaded, envoy::admin::v3::SecretsConfigDump& dump) const {
  for (const auto& [key, secret] : static_) {
    auto& item = *dump.add_static_secrets();
    item.set_name(secret->name());
    *item.mutable_last_updated() = base::toTimestamp(loaded);
    item.mutable_secret()->PackFrom(*secret->get());
  }
  for (const auto& [origin, weak] : files_) {
    const std::shared_ptr<FileSecret> secret = weak.lock();
    if (secret == nullptr) {
      continue;
    }
    const bool there = secret->get() != nullptr;
    auto& item = there ? *dump.add_dynamic_active_secrets() : *dump.add_dynamic_warming_secrets();
    item.set_name(secret->name());
    if (there) {
      item.set_version_info(secret->version());
      *item.mutable_last_updated() = base::toTimestamp(secret->updated());
      item.mutable_secret()->PackFrom(*secret->get());
    }
  }
}

} // namespace culvert::config::tls
