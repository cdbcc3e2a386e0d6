// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "source/config/extensions.h"
#include "source/config/problems.h"

namespace google::protobuf {
class Message;
} // namespace google::protobuf
namespace culvert::registry {
class Registry;
} // namespace culvert::registry

namespace culvert::config {

// What becomes of a field that is set (envoy-compat A).
enum class Support {
  kHonoured, // As in Envoy.
  kIgnored,  // A warning: it changes telemetry, tuning or HTTP only.
  kNotYet,   // An error: a later version will have it.
  kRefused,  // An error: to ignore it would change routing or security, and it will not come.
};

/**
 * Some fields of one message type. "*" for the fields: all of them, however deep, without a
 * further look. A field in no row of its message is refused, a message type in no row too.
 */
struct FieldSupport {
  absl::string_view message;
  Support support;
  absl::string_view fields; // Separated by blanks.
  absl::string_view why;
};
absl::Span<const absl::Span<const FieldSupport>> fieldSupport();

// Single values of a field that is honoured otherwise: the name of an enum value, or `false`.
struct ValueSupport {
  absl::string_view field; // Full name.
  absl::string_view value;
  Support support;
  absl::string_view why;
};
absl::Span<const ValueSupport> valueSupport();

// Extensions that are built in without a factory of their own, with those of the registry.
std::vector<Extension> builtIn(const registry::Registry& registry);

/**
 * Everything that is to be known about a loaded configuration before anything is built from
 * it: constraints (validate.h), deprecated fields, and whether this proxy honours what is set.
 * Typed configurations of built-in extensions are unpacked and checked as well; those of types
 * that the tables do not know (a filter author's own) only against their constraints.
 *
 * `path` is where the message stands in the configuration; "" for a whole file.
 * Threads: any, if `problems` is the caller's own.
 * Errors: all in `problems`, as are warnings; returns whether there were no errors.
 */
bool check(const google::protobuf::Message& message, absl::string_view path,
           absl::Span<const Extension> extensions, Problems& problems);

} // namespace culvert::config
