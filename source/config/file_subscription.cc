// SPDX-License-Identifier: Apache-2.0
#include "source/config/file_subscription.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "source/base/hash.h"
#include "source/base/log.h"
#include "source/config/loader.h"

namespace culvert::config {
namespace {

using envoy::config::core::v3::PathConfigSource;

} // namespace

absl::StatusOr<std::unique_ptr<FileSubscription>>
FileSubscription::create(const PathConfigSource& source, const FileSubscriptionContext& context,
                         SubscriptionStats& stats, Subscriber& subscriber) {
  if (::access(source.path().c_str(), F_OK) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("path: paths must refer to an existing path in the system: '", source.path(),
                     "' does not exist"));
  }
  std::unique_ptr<FileSubscription> made(new FileSubscription(context, stats, subscriber));
  auto file =
      WatchedFile::watch(source.path(), context.watcher,
                         [&self = *made](const WatchedFile::Text& text) { self.onRead(text); });
  if (!file.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("path: ", file.status().message()));
  }
  made->file_ = *std::move(file);
  if (source.has_watched_directory()) {
    const std::string folder = absl::StrCat(source.watched_directory().path(), "/");
    if (const absl::Status status = made->file_->watchFolder(folder); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("watched_directory.path: ", status.message()));
    }
  }
  return made;
}

void FileSubscription::start(std::function<void()> answered) {
  onRead(file_->read());
  answered();
}

void FileSubscription::onRead(const WatchedFile::Text& text) {
  if (text.has_value()) {
    take(*text);
    return;
  }
  stats_.update_attempt.add();
  stats_.update_failure.add();
  LOG(warning, config, "Filesystem config update failure: unable to read file: %s", file_->path());
}

void FileSubscription::take(const std::string& text) {
  const base::Instant started = context_.clock.now();
  stats_.update_attempt.add();
  Problems problems;
  if (context_.unknown_fields != UnknownFields::kReject) {
    problems.allowUnknownFields();
  }
  envoy::service::discovery::v3::DiscoveryResponse response;
  const bool readable = loadText(text, formatOf(file_->path()), file_->path(), response, problems);
  if (readable) {
    subscriber_.onUpdate(response, problems);
  }
  reportUnknown(problems);
  if (!problems.ok()) {
    (readable ? stats_.update_rejected : stats_.update_failure).add();
    for (const std::string& line : problems.errorLines()) {
      LOG(warning, config, "Filesystem config update %s: %s", readable ? "rejected" : "failure",
          line);
    }
    return;
  }
  stats_.update_success.add();
  stats_.update_time.set(base::toMilliseconds(context_.clock.wallNow().time_since_epoch()));
  stats_.version.set(base::xxHash64(response.version_info()));
  stats_.version_text.set(response.version_info());
  stats_.update_duration.record(base::toMilliseconds(context_.clock.now() - started));
}

void FileSubscription::reportUnknown(const Problems& problems) {
  context_.dynamic_unknown_fields.add(problems.unknownFields());
  for (const std::string& line : problems.warningLines()) {
    if (context_.unknown_fields != UnknownFields::kIgnore || problems.unknownFields() == 0) {
      LOG(warning, config, "%s", line);
    }
  }
}

} // namespace culvert::config
