// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "source/config/support.h"

// The parts of the support tables that have files of their own, and the words that they share.
namespace culvert::config {

// What becomes of the fields of clusters and their endpoints. Threads: any.
absl::Span<const FieldSupport> clusterFields();
// What becomes of the fields of the HTTP messages, as far as tunnels need them. Threads: any.
absl::Span<const FieldSupport> httpFields();
// What becomes of the fields of the TLS messages. Threads: any.
absl::Span<const FieldSupport> tlsFields();

namespace support_rows {

using enum Support;

inline constexpr absl::string_view kStapling = "no OCSP responses are stapled";
inline constexpr absl::string_view kOtherNames = "names of other types are not compared";
inline constexpr absl::string_view kResolver =
    "names are resolved by the resolver that is built in";
inline constexpr absl::string_view kHttp = "it is about HTTP";
inline constexpr absl::string_view kTuning = "it only tunes Envoy's own machinery";

} // namespace support_rows
} // namespace culvert::config
