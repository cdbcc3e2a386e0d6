// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/log_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/check.h"

namespace culvert::access_log {
namespace {

// Memory that a burst of lines took is given back.
constexpr size_t kKeptCapacityBytes = 256 * 1024;

bool isRegular(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

int pollMilliseconds(base::Duration patience) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(patience).count());
}

} // namespace

LogFile::Shared::Shared(size_t flush_bytes, stats::Counter& write_buffered,
                        stats::Gauge& total_buffered)
    : flush_bytes_min(flush_bytes), write_buffered(write_buffered), total_buffered(total_buffered),
      wake_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CULVERT_CHECK(wake_fd >= 0);
}

LogFile::Shared::~Shared() { ::close(wake_fd); }

void LogFile::Shared::wake() {
  const uint64_t one = 1;
  const ssize_t written = ::write(wake_fd, &one, sizeof(one));
  static_cast<void>(written); // A full counter wakes as well.
}

LogFile::LogFile(std::string path, Shared& shared) : path_(std::move(path)), shared_(shared) {}

LogFile::~LogFile() {
  base::MutexLock lock(io_mutex_);
  if (fd_ >= 0 && !isStdio())
    ::close(fd_);
}

bool LogFile::isStdio() const { return path_ == "/dev/stdout" || path_ == "/dev/stderr"; }

absl::Status LogFile::open() {
  base::MutexLock lock(io_mutex_);
  if (isStdio()) {
    fd_ = path_ == "/dev/stdout" ? STDOUT_FILENO : STDERR_FILENO;
  } else {
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  }
  if (fd_ < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("unable to open file '", path_, "': ", std::strerror(errno)));
  }
  regular_ = isRegular(fd_);
  return absl::OkStatus();
}

void LogFile::write(absl::string_view lines) {
  bool wake = false;
  {
    base::MutexLock lock(mutex_);
    if (pending_.size() + lines.size() > kPendingBytesMax) {
      shared_.lines_dropped.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    const bool had_enough = pending_.size() >= shared_.flush_bytes_min;
    pending_.append(lines.data(), lines.size());
    wake =
        std::exchange(first_, false) || (!had_enough && pending_.size() >= shared_.flush_bytes_min);
    if (wake)
      wants_flush_.store(true, std::memory_order_relaxed);
  }
  shared_.write_buffered.add();
  shared_.total_buffered.add(lines.size());
  if (wake)
    shared_.wake();
}

bool LogFile::idle() {
  base::MutexLock io_lock(io_mutex_);
  base::MutexLock lock(mutex_);
  return pending_.empty() && writing_.empty();
}

void LogFile::reopenSoon() {
  wants_reopen_.store(true, std::memory_order_relaxed);
  wants_flush_.store(true, std::memory_order_relaxed);
}

void LogFile::reopen() {
  const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) {
    shared_.reopen_failed.fetch_add(1, std::memory_order_relaxed);
    wants_reopen_.store(true, std::memory_order_relaxed);
    return;
  }
  ::close(fd_);
  fd_ = fd;
  regular_ = isRegular(fd);
}

bool LogFile::flush(base::Duration patience) {
  base::MutexLock io_lock(io_mutex_);
  wants_flush_.store(false, std::memory_order_relaxed);
  if (wants_reopen_.exchange(false, std::memory_order_relaxed) && !isStdio())
    reopen();
  if (writing_.empty()) {
    base::MutexLock lock(mutex_);
    std::swap(pending_, writing_);
  }
  absl::string_view rest = writing_;
  while (!rest.empty()) {
    const ssize_t written = writeSome(rest, patience);
    if (written == 0)
      break;
    (written < 0 ? shared_.failed : shared_.completed).fetch_add(1, std::memory_order_relaxed);
    const size_t gone = written < 0 ? rest.size() : static_cast<size_t>(written);
    shared_.bytes_left.fetch_add(gone, std::memory_order_relaxed);
    rest.remove_prefix(gone);
  }
  writing_.erase(0, writing_.size() - rest.size());
  if (writing_.empty() && writing_.capacity() > kKeptCapacityBytes)
    std::string().swap(writing_);
  return writing_.empty();
}

ssize_t LogFile::writeSome(absl::string_view bytes, base::Duration patience) {
  if (!regular_) {
    // A pipe or terminal that says it is ready takes this much without blocking (pipe(7)). It is
    // not ours alone, so it cannot be made non-blocking.
    struct pollfd ready{fd_, POLLOUT, 0};
    if (::poll(&ready, 1, pollMilliseconds(patience)) == 0)
      return 0;
    bytes = bytes.substr(0, PIPE_BUF);
  }
  ssize_t written = -1;
  do {
    written = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (written < 0 && errno == ENOTSOCK)
      written = ::write(fd_, bytes.data(), bytes.size());
  } while (written < 0 && errno == EINTR);
  return written < 0 && errno == EAGAIN ? 0 : written;
}

} // namespace culvert::access_log
