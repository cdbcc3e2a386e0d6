// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace culvert::config {

/**
 * Something that a typed_config can choose, and where: Envoy's category
 * ("envoy.filters.network"), its name, and the full name of its configuration message.
 */
struct Extension {
  std::string category;
  std::string name;
  std::string type;
};

/**
 * What Envoy 1.40 has, whether or not this proxy has it: for suggestions and for saying
 * what is missing (envoy-compat A.1, A.3-A.8).
 */
struct KnownExtension {
  absl::string_view category;
  absl::string_view name;
  absl::string_view type;
  absl::string_view old_name; // A name that Envoy still registers; may be empty.
};

absl::Span<const KnownExtension> knownExtensions();

// Envoy's extension of this name (also an old one) in this category, or null.
const KnownExtension* knownExtension(absl::string_view category, absl::string_view name);

// What the typed_config of this field chooses, as Envoy's category; "" if it is no extension.
// `field` is a full name, "envoy.config.listener.v3.FilterChain.transport_socket".
absl::string_view extensionCategory(absl::string_view field);

} // namespace culvert::config
