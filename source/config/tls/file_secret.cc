// SPDX-License-Identifier: Apache-2.0
#include "source/config/tls/file_secret.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "source/base/log.h"
#include "source/config/tls/secret_files.h"
#include "source/config/tls/tls_proto.h"

namespace culvert::config::tls {
namespace {

using culvert::tls::ContextSlot;
using envoy::service::discovery::v3::DiscoveryResponse;

absl::Status refused(absl::string_view text) { return absl::InvalidArgumentError(text); }

bool isOfKind(const NamedSecret::Message& secret, SecretKind kind) {
  return kind == SecretKind::kCertificate ? secret.has_tls_certificate()
                                          : secret.has_validation_context();
}

} // namespace

absl::StatusOr<std::shared_ptr<FileSecret>>
FileSecret::create(SecretFile origin, const SecretEnvironment& environment) {
  std::shared_ptr<FileSecret> secret(new FileSecret(std::move(origin), environment));
  if (absl::Status status = secret->open(); !status.ok()) {
    return status;
  }
  return secret;
}

FileSecret::FileSecret(SecretFile origin, const SecretEnvironment& environment)
    : NamedSecret(origin.name, nullptr), origin_(std::move(origin)), environment_(environment),
      scope_(environment.stats.scope(absl::StrCat("sds.", origin_.name))), stats_(*scope_),
      key_rotation_failed_(scope_->counter("key_rotation_failed")) {}

absl::Status FileSecret::open() {
  envoy::config::core::v3::PathConfigSource source;
  source.set_path(origin_.path);
  if (!origin_.watched_directory.empty()) {
    source.mutable_watched_directory()->set_path(origin_.watched_directory);
  }
  auto made = FileSubscription::create(source, environment_.files, stats_, *this);
  if (!made.ok()) {
    return refused(absl::StripPrefix(made.status().message(), "path: "));
  }
  subscription_ = *std::move(made);
  return absl::OkStatus();
}

// The file is read for the first one; who comes later finds what it said.
void FileSecret::serve(const std::shared_ptr<ContextSlot>& slot) {
  addSlot(slot);
  if (!std::exchange(loaded_, true)) {
    subscription_->start([] {});
  } else if (get() != nullptr) {
    slot->stats().ssl_context_update_by_sds.add();
  }
}

void FileSecret::onUpdate(const DiscoveryResponse& response, Problems& problems) {
  if (response.resources_size() != 1) {
    problems.error("resources", "one secret is expected",
                   response.resources().empty()
                       ? absl::StrCat("Missing SDS resources for ", name(), " in onConfigUpdate()")
                       : absl::StrCat("Unexpected SDS secrets length for ", name(),
                                      ", number of added resources ", response.resources_size(),
                                      ", number of removed resources 0. Expected sum is 1"));
    return;
  }
  auto named = std::make_unique<Message>();
  if (!takeResource(response, 0, environment_.extensions, *named, problems)) {
    return;
  }
  const absl::Status status = accept(std::move(named));
  if (!status.ok()) {
    problems.error(resourcePath(0), status.message());
    return;
  }
  version_ = response.version_info();
}

// Watched before it is read, so that no change is missed.
absl::Status FileSecret::accept(MessagePtr named) {
  if (named->name() != name()) {
    return refused(absl::StrCat("Unexpected SDS secret (expecting ", name(), "): ", named->name()));
  }
  if (!isOfKind(*named, origin_.kind)) {
    return refused("this is a secret of another kind");
  }
  if (absl::Status status = watchFolders(*named); !status.ok()) {
    return status;
  }
  auto content = withContents(*named);
  absl::Status status = content.ok() ? useContent(*std::move(content)) : content.status();
  if (status.ok()) {
    as_written_ = std::move(named);
  }
  return status;
}

// By itself first: its users cannot tell as long as they wait for another one.
absl::Status FileSecret::useContent(MessagePtr content) {
  last_tried_ = content->SerializeAsString();
  absl::Status status = checkSecret(*content);
  status.Update(status.ok() ? replace(std::move(content)) : status);
  if (status.ok()) {
    updated_ = environment_.files.clock.wallNow();
  }
  return status;
}

absl::Status FileSecret::watchFolders(const Message& named) {
  for (const std::string& folder : foldersOf(named)) {
    if (folders_.contains(folder)) {
      continue;
    }
    auto watch = environment_.files.watcher.watch(folder, event::FileChange::kRenamedOrWritten,
                                                  [this] { onFolderChanged(); });
    if (!watch.ok()) {
      return watch.status();
    }
    folders_.emplace(folder, *std::move(watch));
  }
  return absl::OkStatus();
}

void FileSecret::onFolderChanged() {
  if (as_written_ == nullptr) {
    return;
  }
  auto content = withContents(*as_written_);
  if (content.ok() && (*content)->SerializeAsString() == last_tried_) {
    return; // It was another file.
  }
  const absl::Status status = content.ok() ? useContent(*std::move(content)) : content.status();
  if (!status.ok()) {
    key_rotation_failed_.add();
    LOG(warning, secret, "the files of the secret %s changed, but are of no use: %s", name(),
        status.message());
  }
}

} // namespace culvert::config::tls
