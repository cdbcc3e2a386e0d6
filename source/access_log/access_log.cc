// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/access_log.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "source/access_log/internal/filter.h"
#include "source/access_log/logger_factory.h"
#include "source/base/proto.h"

namespace culvert::access_log {
namespace {

using internal::EntryFilter;

class FilteredLogger final : public Logger {
public:
  FilteredLogger(EntryFilter::Ptr filter, std::shared_ptr<Logger> logger)
      : filter_(std::move(filter)), logger_(std::move(logger)) {}

  void log(const Entry& entry) override {
    if (filter_->passes(entry))
      logger_->log(entry);
  }

private:
  const EntryFilter::Ptr filter_;
  const std::shared_ptr<Logger> logger_;
};

absl::Status noFactory(const envoy::config::accesslog::v3::AccessLog& config) {
  return absl::InvalidArgumentError(
      absl::StrCat("typed_config: Didn't find a registered implementation for '", config.name(),
                   "' with type URL: '", base::typeOf(config.typed_config()), "'"));
}

absl::StatusOr<std::shared_ptr<Logger>>
createUnfiltered(const envoy::config::accesslog::v3::AccessLog& config, Context& context) {
  const auto* const factory = context.registry.find<LoggerFactory>(
      registry::Category::kAccessLogger, config.typed_config().type_url());
  if (factory == nullptr)
    return noFactory(config);
  const auto message = factory->newConfig();
  if (!message->ParseFromString(config.typed_config().value())) {
    return absl::InvalidArgumentError(
        absl::StrCat("typed_config: Unable to unpack as ", factory->type()));
  }
  auto logger = factory->createLogger(*message, context);
  if (!logger.ok())
    return absl::InvalidArgumentError(absl::StrCat("typed_config.", logger.status().message()));
  return logger;
}

absl::StatusOr<std::shared_ptr<Logger>>
createOne(const envoy::config::accesslog::v3::AccessLog& config, Context& context) {
  if (!config.has_filter())
    return createUnfiltered(config, context);
  auto filter = EntryFilter::create(config.filter(), context.watch_runtime);
  if (!filter.ok())
    return absl::InvalidArgumentError(absl::StrCat("filter.", filter.status().message()));
  auto logger = createUnfiltered(config, context);
  if (!logger.ok())
    return logger;
  return std::make_shared<FilteredLogger>(*std::move(filter), *std::move(logger));
}

} // namespace

absl::StatusOr<Loggers>
create(const google::protobuf::RepeatedPtrField<envoy::config::accesslog::v3::AccessLog>& configs,
       Context& context) {
  Loggers loggers;
  for (const auto& config : configs) {
    auto logger = createOne(config, context);
    if (!logger.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("[", loggers.size(), "].", logger.status().message()));
    }
    loggers.push_back(*std::move(logger));
  }
  return loggers;
}

} // namespace culvert::access_log
