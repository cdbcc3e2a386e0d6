// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "source/access_log/access_log.h"
#include "source/registry/registry.h"

namespace culvert::access_log {

// Makes loggers of one kind; registered under Category::kAccessLogger. The filter of the entry is
// not its business: create() puts it in front.
// Threads: main.
class LoggerFactory : public registry::Factory {
public:
  // `config` is a newConfig() that was filled and checked against its proto's constraints.
  // Errors: begin with the path of the field inside `config`.
  virtual absl::StatusOr<std::shared_ptr<Logger>>
  createLogger(const google::protobuf::Message& config, Context& context) const = 0;
};

} // namespace culvert::access_log
