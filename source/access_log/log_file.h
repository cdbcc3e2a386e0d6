// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "source/base/clock.h"
#include "source/base/mutex.h"
#include "source/stats/stat.h"

namespace culvert::access_log {

// One file that lines are appended to; made by FileManager.
// Threads: any data thread may write(); the rest belongs to the FileManager.
class LogFile {
public:
  // What waits to be written at most. Beyond that lines are dropped, and counted: a disk that is
  // stuck must not take the memory.
  static constexpr size_t kPendingBytesMax = 16 * 1024 * 1024;
  // How long the last lines wait at exit for a reader of stdout that does not read.
  static constexpr base::Duration kLastWait = std::chrono::seconds(1);

  // What all files have in common. The numbers are written where stats may not be, and read by
  // FileManager::collectStats().
  struct Shared {
    Shared(size_t flush_bytes, stats::Counter& write_buffered, stats::Gauge& total_buffered);
    ~Shared();

    // Makes the flush thread look at the files that want it.
    void wake();

    const size_t flush_bytes_min;
    stats::Counter& write_buffered;
    stats::Gauge& total_buffered;
    const int wake_fd;
    std::atomic<uint64_t> completed{0};
    std::atomic<uint64_t> failed{0};
    std::atomic<uint64_t> ticks{0};
    std::atomic<uint64_t> reopen_failed{0};
    std::atomic<uint64_t> lines_dropped{0};
    std::atomic<uint64_t> bytes_left{0}; // Written, or given up.
  };

  LogFile(std::string path, Shared& shared);
  ~LogFile();
  LogFile(const LogFile&) = delete;

  absl::Status open();

  // Takes `lines` to be written later.
  void write(absl::string_view lines);

  // Whether it asked for a flush before the next tick.
  bool wantsFlush() const { return wants_flush_.load(std::memory_order_relaxed); }
  bool idle();
  void reopenSoon();
  // Writes what is pending; of a pipe, as much as it takes now. `patience` is how long to wait for
  // one that takes nothing. False when something is left.
  bool flush(base::Duration patience = {});

private:
  bool isStdio() const;
  void reopen() CULVERT_TSA(requires_capability(io_mutex_));
  // Bytes written of `bytes`; fewer when the rest has to wait. Negative: they cannot be written.
  ssize_t writeSome(absl::string_view bytes, base::Duration patience)
      CULVERT_TSA(requires_capability(io_mutex_));

  const std::string path_;
  Shared& shared_;
  std::atomic<bool> wants_flush_{false};
  std::atomic<bool> wants_reopen_{false};

  base::Mutex mutex_;
  std::string pending_ CULVERT_GUARDED_BY(mutex_);
  bool first_ CULVERT_GUARDED_BY(mutex_) = true;

  base::Mutex io_mutex_; // Taken before mutex_, never the other way round.
  int fd_ CULVERT_GUARDED_BY(io_mutex_) = -1;
  bool regular_ CULVERT_GUARDED_BY(io_mutex_) = false;
  std::string writing_ CULVERT_GUARDED_BY(io_mutex_);
};

} // namespace culvert::access_log
