// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/types/span.h"
#include "source/config/support.h"

namespace culvert::config {

// What becomes of the fields of the HTTP messages, as far as tunnels need them. Threads: any.
absl::Span<const FieldSupport> httpFields();

} // namespace culvert::config
