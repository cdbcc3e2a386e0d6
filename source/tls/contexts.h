// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/base/mutex.h"
#include "source/event/file_watcher.h"
#include "source/event/loop.h"
#include "source/tls/context.h"

namespace culvert::tls {

// The place of one configured context, whose content changes with its files and secrets. Empty as
// long as secrets are missing.
// Threads: get() and stats() any, the rest main. Lifetime: shared by who was configured with it.
class ContextSlot {
public:
  using ContextPtr = std::shared_ptr<const Context>;
  // Reads everything anew; null where secrets are missing. Errors: what is wrong, path first.
  using Maker = std::function<absl::StatusOr<ContextPtr>()>;

  ContextSlot(Maker maker, std::shared_ptr<Stats> stats)
      : maker_(std::move(maker)), stats_(std::move(stats)) {}

  ContextPtr get() const {
    base::MutexLock lock(mutex_);
    return current_;
  }
  Stats& stats() const { return *stats_; }

  // The content as it would be now.
  absl::StatusOr<ContextPtr> make() const { return maker_(); }
  void put(ContextPtr context);

private:
  const Maker maker_;
  const std::shared_ptr<Stats> stats_;
  mutable base::Mutex mutex_;
  ContextPtr current_ CULVERT_GUARDED_BY(mutex_);
};

// What stands over a transport, which may still have to connect, while the secrets of its context
// are missing: it fails to open.
std::unique_ptr<net::Io> withoutSecrets(std::unique_ptr<net::Io> transport, bool connecting);

// A file whose replacement counts, or a directory, with a slash behind it, in which anything does;
// and the path of the field that names it.
struct WatchedFile {
  std::string path;
  std::string file;
};

// All contexts of the process, and the files that they come from: a file that is replaced by a
// rename or written in place, or one in a watched directory, is read again, and new connections use
// what it says.
// Threads: main. Lifetime: outlives what is configured with it.
class Contexts {
public:
  explicit Contexts(event::Loop& main) : main_(main) {}

  event::Loop& main() { return main_; }

  // A slot with its first content. Errors: the maker's, or that a file cannot be watched.
  absl::StatusOr<std::shared_ptr<ContextSlot>> add(ContextSlot::Maker maker,
                                                   std::shared_ptr<Stats> stats,
                                                   const std::vector<WatchedFile>& files);

  // For admin: those in use.
  std::vector<std::shared_ptr<const Context>> contexts();

private:
  using Slots = std::vector<std::weak_ptr<ContextSlot>>;

  struct Watched {
    Slots slots;
    std::unique_ptr<event::FileWatcher::Watch> watch;
  };

  void forgetUnused();
  absl::Status watch(const std::string& file, const std::shared_ptr<ContextSlot>& slot);
  void onChanged(const std::string& file);

  event::Loop& main_;
  std::unique_ptr<event::FileWatcher> watcher_; // Made when the first file is watched.
  std::map<std::string, Watched> watched_;
  size_t watched_max_ = 64; // With more, those that nobody needs any longer are looked for.
  Slots slots_;
};

} // namespace culvert::tls
