// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace culvert::access_log::internal {

struct Operator;

// NAME or NAME?OTHER, which become the operator's path.
absl::Status parseHeaderNames(absl::string_view argument, Operator& op);

} // namespace culvert::access_log::internal
