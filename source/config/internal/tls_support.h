// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/types/span.h"
#include "source/config/support.h"

namespace culvert::config {

// What becomes of the fields of the TLS messages. Threads: any.
absl::Span<const FieldSupport> tlsFields();

} // namespace culvert::config
