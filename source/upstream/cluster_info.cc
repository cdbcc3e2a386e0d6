// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/cluster_info.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace culvert::upstream {

ClusterInfoPtr makeClusterInfo(event::Loop& main, ClusterConfig config, stats::Scope& parent) {
  std::unique_ptr<stats::Scope> scope = parent.scope(absl::StrCat("cluster.", config.statName()));
  auto info = std::make_unique<ClusterInfo>(std::move(config), std::move(scope));
  return ClusterInfoPtr(info.release(), [&main](ClusterInfo* last) {
    std::shared_ptr<ClusterInfo> owned(last);
    if (!main.isCurrent()) { // Moved, for main must be the last to hold it.
      main.post([owned = std::move(owned)] { static_cast<void>(owned); });
    }
  });
}

} // namespace culvert::upstream
