// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/types/span.h"
#include "source/config/support.h"

namespace culvert::config {

// What becomes of the fields of clusters and their endpoints. Threads: any.
absl::Span<const FieldSupport> clusterFields();

} // namespace culvert::config
