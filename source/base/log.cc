// SPDX-License-Identifier: Apache-2.0
#include "source/base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "source/base/json_text.h"
#include "source/base/mutex.h"
#include "spdlog/details/log_msg.h"
#include "spdlog/pattern_formatter.h"

namespace culvert::base::log {
namespace {

constexpr const char* kComponents[] = {
    "admin",  "assert",  "client",  "config", "connection",     "conn_handler",
    "dns",    "file",    "filter",  "hc",     "health_checker", "init",
    "io",     "main",    "matcher", "misc",   "pool",           "rbac",
    "router", "runtime", "secret",  "stats",  "upstream"};
static_assert(std::size(kComponents) == static_cast<size_t>(LogComponent::count));

constexpr const char* kLevels[] = {"trace", "debug", "info", "warning", "error", "critical", "off"};

// The message as a JSON string's inside: the pattern flag %j.
class JsonMessageFlag final : public spdlog::custom_flag_formatter {
public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    std::string text(message.payload.data(), message.payload.size());
    escapeJson(text, 0);
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JsonMessageFlag>();
  }
};

class Sink {
public:
  absl::Status open(const Options& options) {
    MutexLock lock(mutex_);
    path_ = options.path;
    escaped_ = options.escaped;
    formatter_ = makeFormatter(options.format);
    return openPath();
  }

  void setFormat(const std::string& format) {
    MutexLock lock(mutex_);
    formatter_ = makeFormatter(format);
  }

  void reopen() {
    MutexLock lock(mutex_);
    if (!path_.empty())
      static_cast<void>(openPath());
  }

  void write(const spdlog::details::log_msg& message) {
    MutexLock lock(mutex_);
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    // One write a line: lines of several threads or processes never mix.
    ssize_t written;
    do {
      written = ::write(fd_, line.data(), line.size());
    } while (written < 0 && errno == EINTR);
  }

  bool escaped() const { return escaped_; }

private:
  static std::unique_ptr<spdlog::pattern_formatter> makeFormatter(const std::string& format) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<JsonMessageFlag>('j').set_pattern(format);
    return formatter;
  }

  absl::Status openPath() CULVERT_TSA(requires_capability(mutex_)) {
    if (path_.empty())
      return absl::OkStatus();
    const int fd = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("unable to open file '", path_, "': ", std::strerror(errno)));
    }
    if (fd_ != STDERR_FILENO)
      ::close(fd_);
    fd_ = fd;
    return absl::OkStatus();
  }

  Mutex mutex_;
  std::string path_ CULVERT_GUARDED_BY(mutex_);
  int fd_ CULVERT_GUARDED_BY(mutex_) = STDERR_FILENO;
  std::unique_ptr<spdlog::pattern_formatter>
      formatter_ CULVERT_GUARDED_BY(mutex_) = makeFormatter(kDefaultFormat);
  bool escaped_ = false;
};

// The log is the one thing that every thread and every room shares; made at first use, never
// destroyed, so that the last words of a stopping process still find it.
Sink& sink() {
  static Sink* const instance = new Sink;
  return *instance;
}

} // namespace

absl::Status initialize(const Options& options) {
  setLevel(options.level);
  return sink().open(options);
}

void setFormat(const std::string& format) { sink().setFormat(format); }

void setLevel(LogLevel level) {
  for (auto& component : levels)
    component.store(level, std::memory_order_relaxed);
}

void setLevel(LogComponent component, LogLevel level) {
  levels[static_cast<size_t>(component)].store(level, std::memory_order_relaxed);
}

void reopen() { sink().reopen(); }

absl::string_view name(LogComponent component) {
  return kComponents[static_cast<size_t>(component)];
}

absl::string_view name(LogLevel level) { return kLevels[static_cast<size_t>(level)]; }

std::optional<LogComponent> findComponent(absl::string_view name) {
  for (size_t i = 0; i < std::size(kComponents); i++) {
    if (name == kComponents[i])
      return static_cast<LogComponent>(i);
  }
  return std::nullopt;
}

std::optional<LogLevel> findLevel(absl::string_view name) {
  for (size_t i = 0; i < std::size(kLevels); i++) {
    if (name == kLevels[i])
      return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

void write(LogComponent component, LogLevel level, const char* file, int line,
           absl::string_view text) {
  const std::string escaped = sink().escaped() ? absl::CEscape(text) : std::string();
  const absl::string_view shown = sink().escaped() ? absl::string_view(escaped) : text;
  const absl::string_view component_name = name(component);
  const spdlog::details::log_msg message(
      spdlog::source_loc{file, line, ""},
      spdlog::string_view_t(component_name.data(), component_name.size()),
      static_cast<spdlog::level::level_enum>(level),
      spdlog::string_view_t(shown.data(), shown.size()));
  sink().write(message);
}

} // namespace culvert::base::log
