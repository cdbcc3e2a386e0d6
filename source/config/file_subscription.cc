// SPDX-License-Identifier: Apache-2.0
#include "source/config/file_subscription.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
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

std::optional<std::string> contentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return std::nullopt;
  }
  std::string text(std::istreambuf_iterator<char>(file), {});
  return file.bad() ? std::nullopt : std::optional(std::move(text));
}

std::string folderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "./" : path.substr(0, slash + 1);
}

} // namespace

absl::StatusOr<std::unique_ptr<FileSubscription>>
FileSubscription::create(const PathConfigSource& source, const FileSubscriptionContext& context,
                         SubscriptionStats& stats, Subscriber& subscriber) {
  if (::access(source.path().c_str(), F_OK) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("path: paths must refer to an existing path in the system: '", source.path(),
                     "' does not exist"));
  }
  std::unique_ptr<FileSubscription> made(
      new FileSubscription(source.path(), context, stats, subscriber));
  FileSubscription& self = *made;
  using event::FileChange;
  absl::Status status =
      self.watch(source.path(), FileChange::kRenamedOrWritten, [&self] { self.read(); });
  status.Update(self.watch(folderOf(source.path()), FileChange::kRenamed,
                           [&self] { self.readIfDifferent(); }));
  if (!status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("path: ", status.message()));
  }
  if (source.has_watched_directory()) {
    const std::string folder = absl::StrCat(source.watched_directory().path(), "/");
    status = self.watch(folder, FileChange::kRenamed, [&self] { self.readIfDifferent(); });
    if (!status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("watched_directory.path: ", status.message()));
    }
  }
  return made;
}

FileSubscription::FileSubscription(std::string path, const FileSubscriptionContext& context,
                                   SubscriptionStats& stats, Subscriber& subscriber)
    : path_(std::move(path)), context_(context), stats_(stats), subscriber_(subscriber) {}

absl::Status FileSubscription::watch(const std::string& path, event::FileChange change,
                                     std::function<void()> callback) {
  auto watch = context_.watcher.watch(path, change, std::move(callback));
  if (watch.ok()) {
    watches_.push_back(*std::move(watch));
  }
  return watch.status();
}

void FileSubscription::start(std::function<void()> answered) {
  read();
  answered();
}

void FileSubscription::read() {
  const std::optional<std::string> text = contentOf(path_);
  if (!text.has_value()) {
    last_read_.reset();
    stats_.update_attempt.add();
    stats_.update_failure.add();
    LOG(warning, config, "Filesystem config update failure: unable to read file: %s", path_);
    return;
  }
  take(*text);
}

// Something beside the file has changed, and through it perhaps what the path leads to.
void FileSubscription::readIfDifferent() {
  const std::optional<std::string> text = contentOf(path_);
  if (text.has_value() && base::xxHash64(*text) != last_read_) {
    take(*text);
  }
}

void FileSubscription::take(const std::string& text) {
  const base::Instant started = context_.clock.now();
  last_read_ = base::xxHash64(text);
  stats_.update_attempt.add();
  Problems problems;
  if (context_.unknown_fields != UnknownFields::kReject) {
    problems.allowUnknownFields();
  }
  envoy::service::discovery::v3::DiscoveryResponse response;
  const bool readable = loadText(text, formatOf(path_), path_, response, problems);
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
