// SPDX-License-Identifier: Apache-2.0
#include "source/config/watched_file.h"

#include <utility>

#include "source/base/file.h"
#include "source/base/hash.h"

namespace culvert::config {
namespace {

std::string folderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "./" : path.substr(0, slash + 1);
}

} // namespace

absl::StatusOr<std::unique_ptr<WatchedFile>>
WatchedFile::watch(std::string path, event::FileWatcher& watcher,
                   std::function<void(const Text&)> changed) {
  std::unique_ptr<WatchedFile> made(new WatchedFile(std::move(path), watcher, std::move(changed)));
  WatchedFile& self = *made;
  absl::Status status = self.add(self.path_, event::FileChange::kRenamedOrWritten,
                                 [&self] { self.changed_(self.read()); });
  status.Update(self.watchFolder(folderOf(self.path_)));
  if (!status.ok()) {
    return status;
  }
  return made;
}

WatchedFile::WatchedFile(std::string path, event::FileWatcher& watcher,
                         std::function<void(const Text&)> changed)
    : path_(std::move(path)), watcher_(watcher), changed_(std::move(changed)) {}

absl::Status WatchedFile::watchFolder(const std::string& folder) {
  return add(folder, event::FileChange::kRenamed, [this] { readIfDifferent(); });
}

WatchedFile::Text WatchedFile::read() {
  Text text = base::readFile(path_);
  last_read_ = text.has_value() ? std::optional(base::xxHash64(*text)) : std::nullopt;
  return text;
}

absl::Status WatchedFile::add(const std::string& path, event::FileChange change,
                              std::function<void()> callback) {
  auto watch = watcher_.watch(path, change, std::move(callback));
  if (watch.ok()) {
    watches_.push_back(*std::move(watch));
  }
  return watch.status();
}

// A file that is away for a moment is not one that changed.
void WatchedFile::readIfDifferent() {
  const std::optional<uint64_t> before = last_read_;
  const Text text = base::readFile(path_);
  if (!text.has_value()) {
    return;
  }
  last_read_ = base::xxHash64(*text);
  if (last_read_ != before) {
    changed_(text);
  }
}

} // namespace culvert::config
