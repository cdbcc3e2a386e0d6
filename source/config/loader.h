// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

#include "source/config/problems.h"

namespace google::protobuf {
class Message;
} // namespace google::protobuf

namespace culvert::config {

enum class Format {
  kYaml,
  kJson,
  kBinary, // Serialized protobuf.
  kText,   // Protobuf's text format.
};

// By the file name's end, in any case: .yaml, .yml, .json, .pb, .pb_text, .textproto. As in
// Envoy every other file is JSON.
Format formatOf(absl::string_view path);

// Larger configurations are refused.
constexpr size_t kInputBytesMax = size_t{64} << 20;

/**
 * Reads configuration into a message. Everything that is wrong is reported to `problems`, with
 * its place, and reading goes on behind it, so that the user sees all mistakes at once.
 *
 * What is already in the message stays: scalars are overridden, messages merged, repeated
 * fields appended to. So `--config-yaml` is a second call on the same message and problems.
 *
 * YAML and JSON follow the proto3 JSON rules as Envoy 1.40 applies them (envoy-compat A and
 * C.6): snake_case or camelCase names, quoted integers, durations as "0.25s". Unknown fields
 * and types are errors. Neither constraints (validate.h) nor what this proxy supports
 * (support.h) are looked at here.
 *
 * Threads: any; no state is shared.
 * Errors: all in `problems`; returns whether this text brought none.
 */
bool loadFile(const std::string& path, google::protobuf::Message& message, Problems& problems);
bool loadText(absl::string_view text, Format format, absl::string_view name,
              google::protobuf::Message& message, Problems& problems);

} // namespace culvert::config
