// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/file_manager.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "source/base/log.h"

namespace culvert::access_log {
namespace {

// How soon a pipe that took only part of what there was is tried again.
constexpr base::Duration kRetryInterval = std::chrono::milliseconds(100);

base::Instant now() { return base::SystemClock().now(); }

} // namespace

FileManager::FileManager(stats::Scope& root, base::Duration flush_interval, size_t flush_bytes_min)
    : write_completed_(root.counter("filesystem.write_completed")),
      write_failed_(root.counter("filesystem.write_failed")),
      flushed_by_timer_(root.counter("filesystem.flushed_by_timer")),
      reopen_failed_(root.counter("filesystem.reopen_failed")),
      lines_dropped_(root.counter("filesystem.lines_dropped")),
      total_buffered_(root.gauge("filesystem.write_total_buffered")),
      flush_interval_(flush_interval),
      shared_(flush_bytes_min, root.counter("filesystem.write_buffered"), total_buffered_) {}

FileManager::~FileManager() {
  exit_.store(true, std::memory_order_relaxed);
  shared_.wake();
  if (thread_.joinable())
    thread_.join();
  for (const auto& file : files())
    file->flush(LogFile::kLastWait);
}

absl::StatusOr<std::shared_ptr<LogFile>> FileManager::open(const std::string& path) {
  base::MutexLock lock(mutex_);
  std::shared_ptr<LogFile>& known = files_[path];
  if (known != nullptr)
    return known;
  auto file = std::make_shared<LogFile>(path, shared_);
  if (absl::Status status = file->open(); !status.ok()) {
    files_.erase(path);
    return status;
  }
  known = std::move(file);
  if (!thread_.joinable())
    thread_ = std::thread([this] { run(); });
  return known;
}

void FileManager::reopenAll() {
  for (const auto& file : files())
    file->reopenSoon();
  shared_.wake();
}

void FileManager::flushAll() {
  for (const auto& file : files())
    file->flush();
}

void FileManager::collectStats() {
  const auto take = [](std::atomic<uint64_t>& number) {
    return number.exchange(0, std::memory_order_relaxed);
  };
  write_completed_.add(take(shared_.completed));
  write_failed_.add(take(shared_.failed));
  flushed_by_timer_.add(take(shared_.ticks));
  reopen_failed_.add(take(shared_.reopen_failed));
  const uint64_t dropped = take(shared_.lines_dropped);
  lines_dropped_.add(dropped);
  if (dropped > 0)
    LOG(warning, file, "access logs: %d line(s) lost, a file takes no more", dropped);
  total_buffered_.sub(take(shared_.bytes_left));
}

void FileManager::run() {
  ::pthread_setname_np(::pthread_self(), "log_flush");
  sigset_t all;
  ::sigfillset(&all); // Signals are main's; a pipe without a reader is an error like others.
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);

  base::Instant tick = now() + flush_interval_;
  bool unfinished = false;
  while (!exit_.load(std::memory_order_relaxed)) {
    wait(unfinished ? std::min(tick, now() + kRetryInterval) : tick);
    const bool ticked = now() >= tick;
    if (ticked)
      tick = now() + flush_interval_;
    unfinished = flushThose(ticked || unfinished, ticked);
    if (ticked)
      dropUnused();
  }
}

void FileManager::wait(base::Instant deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now());
  struct pollfd woken{shared_.wake_fd, POLLIN, 0};
  ::poll(&woken, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
  uint64_t count;
  const ssize_t taken = ::read(shared_.wake_fd, &count, sizeof(count));
  static_cast<void>(taken); // Nothing to take after a time-out.
}

bool FileManager::flushThose(bool all, bool ticked) {
  bool unfinished = false;
  for (const auto& file : files()) {
    if (ticked)
      shared_.ticks.fetch_add(1, std::memory_order_relaxed);
    if (all || file->wantsFlush())
      unfinished |= !file->flush();
  }
  return unfinished;
}

FileManager::Files FileManager::files() {
  base::MutexLock lock(mutex_);
  Files files;
  for (const auto& [path, file] : files_)
    files.push_back(file);
  return files;
}

void FileManager::dropUnused() {
  base::MutexLock lock(mutex_);
  std::erase_if(files_, [](const auto& entry) {
    return entry.second.use_count() == 1 && entry.second->idle();
  });
}

} // namespace culvert::access_log
