// SPDX-License-Identifier: Apache-2.0
#include "source/config/mesh/mesh_log.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "culvert/mesh/v1/mesh.pb.h"
#include "source/access_log/file_manager.h"
#include "source/access_log/logger_factory.h"
#include "source/base/json_text.h"
#include "source/mesh/node/connection_record.h"
#include "source/mesh/node/outcome.h"

namespace culvert::config::node {
namespace {

using culvert::mesh::ConnectionRecord;
using culvert::mesh::v1::MeshAccessLog;
using net::ConnectionInfo;

// Fields in their order; those with `bare` are not quoted as text.
struct Field {
  absl::string_view name;
  bool bare;
};
constexpr Field kFields[] = {
    {"src.addr", true},       {"src.workload", false}, {"src.namespace", false},
    {"src.identity", false},  {"src.cluster", false},  {"dst.addr", true},
    {"dst.hbone_addr", true}, {"dst.service", false},  {"dst.workload", false},
    {"dst.namespace", false}, {"dst.identity", false}, {"dst.cluster", false},
    {"direction", false},
};
constexpr absl::string_view kEarly[] = {"src.addr", "dst.addr", "direction"};

// One line that grows.
class Line {
public:
  Line(MeshLogFormat format, std::string& text)
      : json_(format == MeshLogFormat::kJson), text_(text) {}

  void begin(absl::string_view level, base::WallTime now, absl::string_view message) {
    const std::string time =
        absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::FromChrono(now), absl::UTCTimeZone());
    if (json_) {
      absl::StrAppend(&text_, "{\"level\":\"", level, "\",\"time\":\"", time,
                      "\",\"scope\":\"access\",\"message\":\"", message, "\"");
    } else {
      absl::StrAppend(&text_, time, "\t", level, "\taccess\t", message, "\t");
    }
  }
  void add(absl::string_view name, absl::string_view value, bool bare) {
    const std::string shown = bare && !json_ ? std::string(value) : base::jsonString(value);
    put(name, shown);
  }
  void add(absl::string_view name, uint64_t value) { put(name, absl::StrCat(value)); }
  void end() { absl::StrAppend(&text_, json_ ? "}\n" : "\n"); }

private:
  void put(absl::string_view name, absl::string_view value) {
    if (json_) {
      absl::StrAppend(&text_, ",\"", name, "\":", value);
    } else {
      absl::StrAppend(&text_, std::exchange(first_, false) ? "" : " ", name, "=", value);
    }
  }

  const bool json_;
  std::string& text_;
  bool first_ = true;
};

void appendWhole(const access_log::Entry& entry, const ConnectionRecord& record, Line& line) {
  const ConnectionInfo& info = entry.info;
  const std::string error = culvert::mesh::Outcome::of(info, record).error;
  line.begin(error.empty() ? "info" : "error", entry.wall_now, "connection complete");
  for (const Field& field : kFields) {
    if (const auto value = record.field(field.name)) {
      line.add(field.name, *value, field.bare);
    }
  }
  const bool outbound = record.direction == ConnectionRecord::Direction::kOutbound;
  line.add("bytes_sent", outbound ? info.bytes_received : info.bytes_sent);
  line.add("bytes_recv", outbound ? info.bytes_sent : info.bytes_received);
  line.add("duration", absl::StrCat(base::toMilliseconds(info.end - info.start), "ms"), false);
  if (!error.empty()) {
    line.add("error", error, false);
  }
}

// What was refused before anything was known of it.
void appendEarly(const access_log::Entry& entry, const ConnectionRecord& record, Line& line) {
  line.begin("warn", entry.wall_now, "connection failed");
  for (const absl::string_view name : kEarly) {
    line.add(name, record.field(name).value_or(""), name != "direction");
  }
  line.add("error", record.error, false);
}

class MeshLogger final : public access_log::Logger {
public:
  MeshLogger(MeshLogFormat format, std::shared_ptr<access_log::LogFile> file)
      : format_(format), file_(std::move(file)) {}

  void log(const access_log::Entry& entry) override {
    thread_local std::string line; // So that one is made without taking memory.
    line.clear();
    appendMeshLine(entry, format_, line);
    if (!line.empty()) {
      file_->write(line);
    }
  }

private:
  const MeshLogFormat format_;
  const std::shared_ptr<access_log::LogFile> file_;
};

class MeshLogFactory final : public access_log::LoggerFactory {
public:
  std::string type() const override { return MeshAccessLog::descriptor()->full_name(); }
  std::string name() const override { return "culvert.access_loggers.mesh"; }
  std::unique_ptr<google::protobuf::Message> newConfig() const override {
    return std::make_unique<MeshAccessLog>();
  }
  absl::StatusOr<std::shared_ptr<access_log::Logger>>
  createLogger(const google::protobuf::Message& message,
               access_log::Context& context) const override {
    const auto& config = static_cast<const MeshAccessLog&>(message);
    auto file = context.files.open("/dev/stdout");
    if (!file.ok()) {
      return file.status();
    }
    return std::make_shared<MeshLogger>(
        config.format() == MeshAccessLog::JSON ? MeshLogFormat::kJson : MeshLogFormat::kText,
        *std::move(file));
  }
};

} // namespace

void appendMeshLine(const access_log::Entry& entry, MeshLogFormat format, std::string& text) {
  Line line(format, text);
  const ConnectionRecord* const record = ConnectionRecord::of(entry.info);
  if (record != nullptr && record->known) {
    appendWhole(entry, *record, line);
  } else if (record != nullptr) {
    appendEarly(entry, *record, line);
  } else if (!entry.info.transport_failure_reason.empty()) {
    ConnectionRecord refused(ConnectionRecord::Direction::kInbound);
    refused.source = entry.info.remote;
    refused.destination = entry.info.local;
    refused.error = absl::StrCat("tls handshake error: ", entry.info.transport_failure_reason);
    appendEarly(entry, refused, line);
  } else {
    return; // A tunnel: each connection in it has a line.
  }
  line.end();
}

void registerMeshLog(registry::Registry& registry) {
  registry.add(registry::Category::kAccessLogger, std::make_unique<MeshLogFactory>());
}

} // namespace culvert::config::node
