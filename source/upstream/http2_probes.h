// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "absl/strings/string_view.h"
#include "source/upstream/health_probe.h"

namespace culvert::upstream {

// HTTP checks in HTTP/2. Lifetime: `config` outlives the probe.
std::unique_ptr<HealthProbe> makeHttp2Probe(const HttpCheckConfig& config,
                                            absl::string_view authority);

} // namespace culvert::upstream
