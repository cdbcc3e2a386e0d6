// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/strings/string_view.h"

#include "source/config/problems.h"

namespace google::protobuf {
class Any;
class Message;
} // namespace google::protobuf

namespace culvert::config {

/**
 * Checks a message, and all in it, against the constraints that its .proto declares
 * (protoc-gen-validate: min_len, gte, required, ...) and reports every violation with the path
 * of its field, the value, and Envoy's sentence (envoy-compat C.6, 13-15, 26, 32). Durations
 * that are negative or too long are refused first, as Envoy does.
 *
 * What an Any holds is not looked at: whoever unpacks it calls unpack().
 *
 * `path` is where the message stands in the configuration; "" for a whole file.
 * Threads: any, if `problems` is the caller's own.
 * Errors: all in `problems`; returns whether there were none.
 */
bool validate(const google::protobuf::Message& message, absl::string_view path, Problems& problems);

/**
 * Unpacks a typed_config into `message` and validates it: in Envoy's sentences the unpacked
 * message is the outermost, the path says where it stands.
 */
bool unpack(const google::protobuf::Any& any, absl::string_view path,
            google::protobuf::Message& message, Problems& problems);

/**
 * Warns of every deprecated field and enum value that is set, as Envoy's log does.
 * `message` only; what an Any holds is checked by unpack().
 */
void warnOfDeprecated(const google::protobuf::Message& message, absl::string_view path,
                      Problems& problems);

} // namespace culvert::config
