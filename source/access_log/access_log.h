// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "source/base/clock.h"

namespace google::protobuf {
template <typename Element> class RepeatedPtrField;
}
namespace envoy::config::accesslog::v3 {
class AccessLog;
}
namespace culvert::net {
struct ConnectionInfo;
}
namespace culvert::registry {
class Registry;
}

namespace culvert::access_log {

class FileManager;

// What a line is about: %ACCESS_LOG_TYPE%. Listeners log kNotSet, at the end of a connection.
enum class Type : uint8_t {
  kNotSet,
  kTcpConnectionStart,
  kTcpUpstreamConnected,
  kTcpPeriodic,
  kTcpConnectionEnd,
  kDownstreamEnd, // Of a request.
};

// "TcpConnectionEnd"; "NotSet".
absl::string_view name(Type type);

// What one line is made of. Lifetime: the call's.
struct Entry {
  const net::ConnectionInfo& info;
  Type type;
  base::Instant now;
  base::WallTime wall_now;
};

// One entry of a listener's or filter's access_log.
// Threads: any worker. Lifetime: shared by those that log to it; the FileManager outlives it.
class Logger {
public:
  virtual ~Logger() = default;
  // Writes a line, unless the entry's filter is against it. Never waits for a disk.
  virtual void log(const Entry& entry) = 0;
};

using Loggers = std::vector<std::shared_ptr<Logger>>;

// Follows a runtime key: the function that comes back is asked on workers, for each line, and
// answers the key's value or `fallback`.
using WatchRuntime =
    std::function<std::function<uint64_t()>(const std::string& key, uint64_t fallback)>;

// What access logs are built with. Threads: main. Lifetime: the server's.
struct Context {
  const registry::Registry& registry;
  FileManager& files;
  WatchRuntime watch_runtime; // May be empty: then every key has its default.
};

// The loggers of one access_log field.
// Errors: begin with the path inside the field: "[0].typed_config.path: unable to open file ...".
absl::StatusOr<Loggers>
create(const google::protobuf::RepeatedPtrField<envoy::config::accesslog::v3::AccessLog>& configs,
       Context& context);

// Adds envoy.access_loggers.file, .stdout and .stderr with their older names (envoy-compat A.8).
void registerAccessLoggers(registry::Registry& registry);

} // namespace culvert::access_log
