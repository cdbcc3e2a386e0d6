// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace culvert::base {

enum class LogLevel : uint8_t { trace, debug, info, warning, error, critical, off };

// One logger a component; the names are those of `--component-log-level` and /logging
// (envoy-compat B.9). `assert_` prints as "assert".
enum class LogComponent : uint8_t {
  admin,
  assert_,
  client,
  config,
  connection,
  conn_handler,
  dns,
  file,
  filter,
  hc,
  health_checker,
  init,
  io,
  main,
  matcher,
  misc,
  pool,
  rbac,
  router,
  runtime,
  secret,
  stats,
  upstream,
  count
};

// The process's application log: lines on stderr or in a file, in spdlog's pattern language.
// Threads: configuration is main's; write and enabled are for any thread.
namespace log {

constexpr char kDefaultFormat[] = "[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v";

inline std::atomic<LogLevel> levels[static_cast<size_t>(LogComponent::count)];

inline bool enabled(LogComponent component, LogLevel level) {
  return level >= levels[static_cast<size_t>(component)].load(std::memory_order_relaxed);
}

struct Options {
  LogLevel level = LogLevel::info;
  std::string format = kDefaultFormat;
  std::string path;     // Empty: stderr.
  bool escaped = false; // C-escape each message, so that one message is one line.
};

// Call once, before any thread starts. Errors: a path that cannot be opened.
absl::Status initialize(const Options& options);
// Changes the pattern later: a bootstrap's application_log_config.
void setFormat(const std::string& format);
// For application_log_config.log_format.json_format: the pattern's %j is the escaped message.
void setLevel(LogLevel level);
void setLevel(LogComponent component, LogLevel level);
void reopen(); // The file again, after it was moved away.

absl::string_view name(LogComponent component);
absl::string_view name(LogLevel level);
std::optional<LogComponent> findComponent(absl::string_view name);
std::optional<LogLevel> findLevel(absl::string_view name);

void write(LogComponent component, LogLevel level, const char* file, int line,
           absl::string_view text);

} // namespace log
} // namespace culvert::base

// LOG(info, main, "loading %d listener(s)", n): checked and formatted as absl::StrFormat does, and
// only when the component's level lets it through.
#define LOG(level, component, ...)                                                                 \
  do {                                                                                             \
    if (::culvert::base::log::enabled(::culvert::base::LogComponent::component,                    \
                                      ::culvert::base::LogLevel::level)) {                         \
      ::culvert::base::log::write(::culvert::base::LogComponent::component,                        \
                                  ::culvert::base::LogLevel::level, __FILE__, __LINE__,            \
                                  absl::StrFormat(__VA_ARGS__));                                   \
    }                                                                                              \
  } while (false)

// The same with the connection's id in front.
#define LOG_CONNECTION(level, component, id, format, ...)                                          \
  LOG(level, component, "[Tags: \"ConnectionId\":\"%d\"] " format, id, ##__VA_ARGS__)
