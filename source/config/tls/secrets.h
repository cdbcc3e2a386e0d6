// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "source/config/problems.h"
#include "source/config/tls/file_secret.h"

namespace envoy::admin::v3 {
class SecretsConfigDump;
}
namespace envoy::extensions::transport_sockets::tls::v3 {
class CommonTlsContext;
class SdsSecretConfig;
} // namespace envoy::extensions::transport_sockets::tls::v3

namespace culvert::config::tls {

// The secrets that one TLS context names.
struct NamedSecrets {
  std::vector<std::shared_ptr<NamedSecret>> certificates;
  std::shared_ptr<NamedSecret> validation; // Null when none is named.

  // Whether there is something in each.
  bool ready() const;
  // Has `slot` made anew as they change.
  void serve(const std::shared_ptr<culvert::tls::ContextSlot>& slot) const;
};

// All secrets by name: those of the bootstrap, and those that come from files.
// Threads: main. Lifetime: outlives what is configured with it.
class Secrets {
public:
  using Common = envoy::extensions::transport_sockets::tls::v3::CommonTlsContext;

  // `extensions`: what may be named in a secret, to check it.
  Secrets(const FileSubscriptionContext& files, stats::Scope& root,
          const std::vector<Extension>& extensions);
  ~Secrets();

  // One of static_resources.secrets, which stands at `path`.
  void addStatic(const NamedSecret::Message& secret, const std::string& path, Problems& problems);

  // Errors: begin with the path inside the message, and end in Envoy's sentence.
  absl::StatusOr<NamedSecrets> find(const Common& context);

  // For /config_dump; `loaded` is when the bootstrap was.
  void dump(base::WallTime loaded, envoy::admin::v3::SecretsConfigDump& dump) const;

private:
  using Config = envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig;
  absl::StatusOr<std::shared_ptr<NamedSecret>> findOne(const Config& config, SecretKind kind);
  absl::StatusOr<std::shared_ptr<NamedSecret>> findFile(const Config& config, SecretKind kind);

  const SecretEnvironment environment_;
  std::map<std::pair<SecretKind, std::string>, std::shared_ptr<NamedSecret>> static_;
  std::map<SecretFile, std::weak_ptr<FileSecret>> files_; // Those in use keep them.
};

} // namespace culvert::config::tls
