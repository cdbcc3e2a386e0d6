// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "source/base/clock.h"
#include "source/config/file_subscription.h"
#include "source/config/tls/named_secret.h"

namespace envoy::service::discovery::v3 {
class DiscoveryResponse;
}

namespace culvert::config::tls {

enum class SecretKind : uint8_t { kCertificate, kValidation };

// Where a secret comes from: a file with one discovery response, and that with one secret.
struct SecretFile {
  std::string name;
  SecretKind kind;
  std::string path;
  std::string watched_directory; // Beside the file; may be empty.

  bool operator<(const SecretFile& other) const {
    return std::tie(name, kind, path, watched_directory) <
           std::tie(other.name, other.kind, other.path, other.watched_directory);
  }
};

// What all secrets from files share. Lifetime: outlives them.
struct SecretEnvironment {
  const FileSubscriptionContext& files;
  stats::Scope& stats; // The root.
  const std::vector<Extension>& extensions;
};

// A secret from a file. It is made anew when the file changes, or anything in the folders that the
// secret's own files are in, so that a new certificate and its key are taken up together. What is
// of no use is counted and said in the log, and the last good one stays. Threads: main.
class FileSecret final : public NamedSecret, private Subscriber {
public:
  // Errors: the file is not there, or cannot be watched.
  static absl::StatusOr<std::shared_ptr<FileSecret>> create(SecretFile origin,
                                                            const SecretEnvironment& environment);

  void serve(const std::shared_ptr<culvert::tls::ContextSlot>& slot) override;

  base::WallTime updated() const { return updated_; }
  const std::string& version() const { return version_; }

private:
  FileSecret(SecretFile origin, const SecretEnvironment& environment);
  absl::Status open();
  void onUpdate(const envoy::service::discovery::v3::DiscoveryResponse& response,
                Problems& problems) override;
  absl::Status accept(MessagePtr named);
  absl::Status useContent(MessagePtr content);
  absl::Status watchFolders(const Message& named);
  void onFolderChanged();

  const SecretFile origin_;
  const SecretEnvironment& environment_;
  const std::unique_ptr<stats::Scope> scope_;
  SubscriptionStats stats_;
  stats::Counter& key_rotation_failed_;
  std::unique_ptr<Subscription> subscription_;
  bool loaded_ = false;    // Once, for better or worse.
  MessagePtr as_written_;  // The last good one, with the names of its files.
  std::string last_tried_; // Of what the files held, serialized.
  std::map<std::string, std::unique_ptr<event::FileWatcher::Watch>> folders_;
  base::WallTime updated_;
  std::string version_;
};

} // namespace culvert::config::tls
