// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "source/event/fd_events.h"
#include "source/event/loop.h"

namespace culvert::event {

// Calls back when something is renamed onto a watched path: how Envoy's users replace a file or a
// tree at once (envoy-compat F.5). A path with a slash at its end is for all in that folder. What a
// path points to may be absent; its folder may not.
//
// Threads: the loop's. Lifetime: a callback may watch more, and may not destroy the watcher.
// Errors: "unable to add filesystem watch for file PATH: REASON".
class FileWatcher {
public:
  explicit FileWatcher(Loop& loop);
  ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;

  absl::Status watch(const std::string& path, std::function<void()> callback);

private:
  struct Watch {
    std::string name; // Within the folder.
    std::function<void()> callback;
  };

  void onReadable(uint32_t readiness);
  void onRenamed(int folder, const std::string& name);

  int fd_;
  FdEvents events_;
  std::multimap<int, std::shared_ptr<Watch>> watches_; // By inotify's number of the folder.
};

} // namespace culvert::event
