// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "source/access_log/log_file.h"
#include "source/base/clock.h"
#include "source/base/mutex.h"
#include "source/stats/store.h"

namespace culvert::access_log {

// Every file that access logs are written to: those who name the same path share one. A thread of
// its own writes what has been collected, so that workers never wait for a disk.
//
// A file's first line is written at once; later ones when `flush_interval` is over or when
// `flush_bytes_min` bytes wait (envoy-compat A.8). Counts filesystem.*, and those of its numbers
// that come about on its own thread whenever main calls collectStats().
//
// Threads: main. Lifetime: outlives the loggers; what is not written yet is when it is destroyed.
class FileManager {
public:
  static constexpr size_t kFlushBytesMin = 64 * 1024;

  FileManager(stats::Scope& root, base::Duration flush_interval,
              size_t flush_bytes_min = kFlushBytesMin);
  ~FileManager();
  FileManager(const FileManager&) = delete;

  // Opens for appending, or makes, the file. "/dev/stdout" and "/dev/stderr" are this process's.
  // Errors: "unable to open file '/x/a.log': No such file or directory".
  absl::StatusOr<std::shared_ptr<LogFile>> open(const std::string& path);

  // Soon opens every path again: after files were moved away. One that cannot be opened stays with
  // the old file, and is tried again at each flush.
  void reopenAll();

  // Writes everything that was logged before the call. Waits for the disk.
  void flushAll();

  // Before statistics are looked at.
  void collectStats();

private:
  using Files = std::vector<std::shared_ptr<LogFile>>;

  void run();
  // Until the deadline, or until a file asks for a flush.
  void wait(base::Instant deadline);
  // All files, or those that ask for it. True when a pipe did not take everything.
  bool flushThose(bool all, bool ticked);
  Files files();
  // Closes the files that no logger has any more.
  void dropUnused();

  stats::Counter& write_completed_;
  stats::Counter& write_failed_;
  stats::Counter& flushed_by_timer_;
  stats::Counter& reopen_failed_;
  stats::Counter& lines_dropped_;
  stats::Gauge& total_buffered_;

  const base::Duration flush_interval_;
  LogFile::Shared shared_;

  base::Mutex mutex_;
  std::map<std::string, std::shared_ptr<LogFile>> files_ CULVERT_GUARDED_BY(mutex_);
  std::atomic<bool> exit_{false};
  std::thread thread_; // From the first file on.
};

} // namespace culvert::access_log
