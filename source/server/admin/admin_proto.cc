// SPDX-License-Identifier: Apache-2.0
#include "source/server/admin/admin_proto.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "envoy/extensions/access_loggers/stream/v3/stream.pb.h"
#include "source/access_log/file_manager.h"
#include "source/config/bootstrap_parts.h"
#include "source/config/validate.h"
#include "source/server/listener_proto.h"

namespace culvert::server {
namespace {

namespace bootstrap = envoy::config::bootstrap::v3;
namespace file_log = envoy::extensions::access_loggers::file::v3;
namespace stream_log = envoy::extensions::access_loggers::stream::v3;

using config::Problems;

// The file's path, or nothing when the mistake was reported.
std::optional<std::string> readPath(const envoy::config::accesslog::v3::AccessLog& proto,
                                    const std::string& path, Problems& problems) {
  const google::protobuf::Any& any = proto.typed_config();
  if (any.Is<stream_log::StdoutAccessLog>())
    return "/dev/stdout";
  if (any.Is<stream_log::StderrAccessLog>())
    return "/dev/stderr";
  file_log::FileAccessLog log;
  if (!any.Is<file_log::FileAccessLog>()) {
    problems.error(path, "the admin page can log to a file, stdout or stderr");
    return std::nullopt;
  }
  if (!config::unpack(any, path + ".typed_config", log, problems))
    return std::nullopt;
  // It logs HTTP requests, for which the formats of connections have no words.
  if (proto.has_filter() || log.access_log_format_case() != log.ACCESS_LOG_FORMAT_NOT_SET)
    problems.warning(path, "the admin page logs every request, in the default format");
  return log.path();
}

using Files = std::vector<std::shared_ptr<access_log::LogFile>>;

Files openLogs(const bootstrap::Admin& proto, access_log::FileManager& manager,
               Problems& problems) {
  Files files;
  for (int i = 0; i < proto.access_log_size(); i++) {
    const std::string path = absl::StrCat("admin.access_log[", i, "]");
    const std::optional<std::string> name = readPath(proto.access_log(i), path, problems);
    if (!name)
      continue;
    auto file = manager.open(*name);
    if (file.ok()) {
      files.push_back(*std::move(file));
    } else {
      problems.error(path + ".typed_config.path", "the log cannot be written",
                     file.status().message());
    }
  }
  return files;
}

} // namespace

std::optional<AdminParts> readAdmin(const bootstrap::Admin& proto, access_log::FileManager& files,
                                    Problems& problems) {
  if (!proto.has_address())
    return std::nullopt;
  const auto address = readAddress(proto.address(), "admin.address", problems);
  Files logs = openLogs(proto, files, problems);
  if (!address)
    return std::nullopt;
  AdminParts parts;
  parts.config.address = *address;
  parts.config.pipe_mode = proto.address().pipe().mode();
  for (const auto& match : proto.allow_paths())
    parts.config.allow_paths.push_back(config::readMatch(match));
  if (!logs.empty()) {
    parts.access_log = [logs = std::move(logs)](absl::string_view line) {
      for (const auto& file : logs)
        file->write(line);
    };
  }
  return parts;
}

} // namespace culvert::server
