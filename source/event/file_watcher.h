// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/event/fd_events.h"
#include "source/event/loop.h"

namespace culvert::event {

// What counts as a change of a file.
enum class FileChange : uint8_t {
  kRenamed, // Something is renamed onto the path: how files and trees are replaced at once.
  kRenamedOrWritten, // That, or whoever had the file open for writing closes it.
};

// Calls back when files change. What a path points to may be absent; its folder may not.
//
// Threads: the loop's. Lifetime: outlives what it watches for.
class FileWatcher {
public:
  explicit FileWatcher(Loop& loop);
  ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;

  // Something watched, until it is destroyed; its own callback may do that.
  class Watch {
  public:
    ~Watch();
    Watch(const Watch&) = delete;

  private:
    friend class FileWatcher;
    Watch() = default;

    FileWatcher* watcher = nullptr;
    int folder = -1; // inotify's number.
    std::string name;
    uint32_t mask = 0;
    std::function<void()> callback;
  };

  // A path that ends with a slash is for everything in that folder.
  // Errors: "unable to add filesystem watch for file PATH: REASON".
  absl::StatusOr<std::unique_ptr<Watch>> watch(const std::string& path, FileChange change,
                                               std::function<void()> callback);

private:
  void onReadable(uint32_t readiness);
  void onChanged(int folder, uint32_t mask, const std::string& name);
  void forget(const Watch& watch);

  int fd_;
  FdEvents events_;
  std::vector<Watch*> watches_;
};

} // namespace culvert::event
