// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/event/file_watcher.h"

namespace culvert::config {

// A file that is read again when it may have changed: something is renamed onto it, it is written
// in place, or something in its folder is replaced and it then reads differently (as when a volume
// of Kubernetes is swapped, whose links lead to the file).
// Threads: main. Lifetime: the watcher outlives it.
class WatchedFile {
public:
  using Text = std::optional<std::string>; // Nothing: it can't be read.

  // `changed` is called for changes after this, not for what is there now.
  // Errors: those of FileWatcher::watch.
  static absl::StatusOr<std::unique_ptr<WatchedFile>>
  watch(std::string path, event::FileWatcher& watcher, std::function<void(const Text&)> changed);
  WatchedFile(const WatchedFile&) = delete;

  // Another folder in which a replacement may change what the file reads like.
  absl::Status watchFolder(const std::string& folder);

  const std::string& path() const { return path_; }
  // What it reads like now.
  Text read();

private:
  WatchedFile(std::string path, event::FileWatcher& watcher,
              std::function<void(const Text&)> changed);

  absl::Status add(const std::string& path, event::FileChange change,
                   std::function<void()> callback);
  void readIfDifferent();

  const std::string path_;
  event::FileWatcher& watcher_;
  const std::function<void(const Text&)> changed_;
  std::optional<uint64_t> last_read_; // A hash; nothing while it could not be read.
  std::vector<std::unique_ptr<event::FileWatcher::Watch>> watches_;
};

} // namespace culvert::config
