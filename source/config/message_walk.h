// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "absl/strings/string_view.h"

namespace google::protobuf {
class FieldDescriptor;
class Message;
} // namespace google::protobuf

namespace culvert::config {

// The path of a field of the message at `path`; `path` itself may be empty.
std::string fieldPath(absl::string_view path, absl::string_view field);
// The path of an element of a list, or of an entry of a map.
std::string elementPath(absl::string_view path, absl::string_view index_or_key);

// The key of a map entry message, as text.
std::string mapKeyText(const google::protobuf::Message& entry);

// Calls `visit` for each set message field: a singular one, each element, each value of a map.
void forEachChild(const google::protobuf::Message& message, absl::string_view path,
                  const std::function<void(const google::protobuf::FieldDescriptor& field,
                                           const google::protobuf::Message& child,
                                           const std::string& path)>& visit);

// Calls `visit` for the message and every message in it, but not for what an Any holds packed.
void forEachMessage(const google::protobuf::Message& message, const std::string& path,
                    const std::function<void(const google::protobuf::Message& message,
                                             const std::string& path)>& visit);

} // namespace culvert::config
