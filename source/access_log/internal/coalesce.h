// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "source/access_log/internal/operator.h"

namespace culvert::access_log::internal {

// %COALESCE({"operators": ["NAME", {"command": "NAME", "param": "x", "max_length": 3}]})%: the
// first of them that has a value.
absl::Status parseChoices(absl::string_view argument, Operator& op);
Found printFirst(const Operator& op, const Entry& entry, std::string& out);

} // namespace culvert::access_log::internal
