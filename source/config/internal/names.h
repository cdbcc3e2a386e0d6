// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace google::protobuf {
class Descriptor;
class EnumDescriptor;
class FieldDescriptor;
} // namespace google::protobuf

namespace culvert::config {

// The field by its name or its camelCase name; null if there is none.
const google::protobuf::FieldDescriptor* findField(const google::protobuf::Descriptor& type,
                                                   absl::string_view name);

// A misspelt, misplaced or outdated field name.
struct FieldHint {
  std::string text;      // Follows "unknown field of TYPE"; may be empty.
  std::string suggested; // The field of the same message that was meant; may be empty.
};

// `around` are the types of the messages that the field's message stands in, outermost first.
FieldHint hintForField(absl::string_view written, const google::protobuf::Descriptor& type,
                       const std::vector<const google::protobuf::Descriptor*>& around);

// What follows "unknown value ..." of an enum.
std::string hintForEnumValue(absl::string_view written,
                             const google::protobuf::EnumDescriptor& type);

// What follows "no such type": the v3 name of a v2 type, or the nearest one that is known.
std::string hintForType(absl::string_view written);

} // namespace culvert::config
