// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "envoy/extensions/access_loggers/stream/v3/stream.pb.h"
#include "source/access_log/file_manager.h"
#include "source/access_log/formatter.h"
#include "source/access_log/logger_factory.h"

namespace culvert::access_log {
namespace {

using envoy::extensions::access_loggers::file::v3::FileAccessLog;
using envoy::extensions::access_loggers::stream::v3::StderrAccessLog;
using envoy::extensions::access_loggers::stream::v3::StdoutAccessLog;

class FileLogger final : public Logger {
public:
  FileLogger(Formatter::Ptr formatter, std::shared_ptr<LogFile> file)
      : formatter_(std::move(formatter)), file_(std::move(file)) {}

  void log(const Entry& entry) override {
    // One a thread, so that a line is made without taking memory.
    thread_local std::string line;
    line.clear();
    formatter_->append(entry, line);
    file_->write(line);
  }

private:
  const Formatter::Ptr formatter_;
  const std::shared_ptr<LogFile> file_;
};

absl::Status below(absl::string_view field, absl::string_view join, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(field, join, status.message()));
}

absl::StatusOr<Formatter::Ptr>
formatterOf(const envoy::config::core::v3::SubstitutionFormatString& config) {
  auto formatter = Formatter::create(config);
  return formatter.ok() ? std::move(formatter) : below("log_format", ".", formatter.status());
}

absl::StatusOr<Formatter::Ptr> formatterOf(const FileAccessLog& config) {
  switch (config.access_log_format_case()) {
  case FileAccessLog::kLogFormat:
    return formatterOf(config.log_format());
  case FileAccessLog::kFormat: {
    if (config.format().empty())
      return Formatter::defaultLine();
    auto formatter = Formatter::text(config.format());
    return formatter.ok() ? std::move(formatter) : below("format", ": ", formatter.status());
  }
  case FileAccessLog::kJsonFormat: {
    auto formatter = Formatter::json(config.json_format());
    return formatter.ok() ? std::move(formatter) : below("json_format", ".", formatter.status());
  }
  case FileAccessLog::kTypedJsonFormat: {
    auto formatter = Formatter::json(config.typed_json_format());
    return formatter.ok() ? std::move(formatter)
                          : below("typed_json_format", ".", formatter.status());
  }
  case FileAccessLog::ACCESS_LOG_FORMAT_NOT_SET:
    break;
  }
  return Formatter::defaultLine();
}

template <class Stream> absl::StatusOr<Formatter::Ptr> streamFormatterOf(const Stream& config) {
  return config.has_log_format() ? formatterOf(config.log_format()) : Formatter::defaultLine();
}

absl::StatusOr<std::shared_ptr<Logger>> makeLogger(absl::StatusOr<Formatter::Ptr> formatter,
                                                   const std::string& path, Context& context) {
  if (!formatter.ok())
    return formatter.status();
  auto file = context.files.open(path);
  if (!file.ok())
    return below("path", ": ", file.status());
  return std::make_shared<FileLogger>(*std::move(formatter), *std::move(file));
}

class FileFactory final : public LoggerFactory {
public:
  std::string type() const override { return FileAccessLog::descriptor()->full_name(); }
  std::string name() const override { return "envoy.access_loggers.file"; }
  std::vector<std::string> aliases() const override { return {"envoy.file_access_log"}; }
  std::unique_ptr<google::protobuf::Message> newConfig() const override {
    return std::make_unique<FileAccessLog>();
  }
  absl::StatusOr<std::shared_ptr<Logger>> createLogger(const google::protobuf::Message& message,
                                                       Context& context) const override {
    const auto& config = static_cast<const FileAccessLog&>(message);
    return makeLogger(formatterOf(config), config.path(), context);
  }
};

// stdout and stderr.
template <class Config> class StreamFactory final : public LoggerFactory {
public:
  explicit StreamFactory(std::string stream) : stream_(std::move(stream)) {}

  std::string type() const override { return Config::descriptor()->full_name(); }
  std::string name() const override { return "envoy.access_loggers." + stream_; }
  std::vector<std::string> aliases() const override { return {"envoy." + stream_ + "_access_log"}; }
  std::unique_ptr<google::protobuf::Message> newConfig() const override {
    return std::make_unique<Config>();
  }
  absl::StatusOr<std::shared_ptr<Logger>> createLogger(const google::protobuf::Message& message,
                                                       Context& context) const override {
    const auto& config = static_cast<const Config&>(message);
    return makeLogger(streamFormatterOf(config), "/dev/" + stream_, context);
  }

private:
  const std::string stream_;
};

} // namespace

void registerAccessLoggers(registry::Registry& registry) {
  constexpr auto kCategory = registry::Category::kAccessLogger;
  registry.add(kCategory, std::make_unique<FileFactory>());
  registry.add(kCategory, std::make_unique<StreamFactory<StdoutAccessLog>>("stdout"));
  registry.add(kCategory, std::make_unique<StreamFactory<StderrAccessLog>>("stderr"));
}

} // namespace culvert::access_log
