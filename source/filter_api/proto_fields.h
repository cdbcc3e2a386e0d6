// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/base/proto.h"
#include "source/runtime/loader.h"

namespace culvert {

// Reading what the configurations of several filters have. Threads: main.

using base::toDuration;

// Follows `runtime_enabled`, Envoy's RuntimeFeatureFlag; a filter without it is enabled.
template <class Config>
runtime::Watched<bool> watchEnabled(const Config& config, runtime::Loader& runtime) {
  const auto& flag = config.runtime_enabled();
  const bool otherwise = !config.has_runtime_enabled() || flag.default_value().value();
  return runtime.watch<bool>(flag.runtime_key(), otherwise);
}

} // namespace culvert
