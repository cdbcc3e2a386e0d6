// SPDX-License-Identifier: Apache-2.0
#include "source/server/startup_log.h"

#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "source/base/log.h"
#include "source/registry/registry.h"

namespace culvert::server {
namespace {

using registry::Category;

constexpr Category kCategories[] = {Category::kAccessLogger,      Category::kBootstrap,
                                    Category::kCluster,           Category::kListenerFilter,
                                    Category::kLoadBalancer,      Category::kNetworkFilter,
                                    Category::kTransportSocketIn, Category::kTransportSocketOut};

} // namespace

void logStart(const Options& options, const registry::Registry& registry) {
  LOG(info, main, "initializing epoch %d (base id=%d, hot restart version=%s)",
      options.restart_epoch, options.base_id, hotRestartVersion(options));
  LOG(info, main, "statically linked extensions:");
  for (const Category category : kCategories) {
    std::vector<std::string> names;
    for (const registry::Factory* factory : registry.all(category))
      names.push_back(factory->name());
    if (!names.empty()) {
      LOG(info, main, "  %s: %s", std::string(registry::name(category)),
          absl::StrJoin(names, ", "));
    }
  }
  for (const std::string& warning : options.warnings)
    LOG(warning, main, "%s", warning);
}

} // namespace culvert::server
