// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace validate {
class FieldRules;
} // namespace validate

namespace culvert::config {

// What is wrong, in the words of protoc-gen-validate, or nothing.
using Violation = std::optional<std::string>;

// A field of a message, or with an index one element of a repeated one.
struct FieldValue {
  const google::protobuf::Message& parent;
  const google::protobuf::FieldDescriptor* field;
  int index = -1;

  const google::protobuf::Message& message() const;
  std::string string() const;
  int enumNumber() const;
  template <class T> T number() const;
};

// The rules of one value that is there, less those of the fields of a message.
Violation checkValue(const ::validate::FieldRules& rules, const FieldValue& value);

// The rules on the number of elements of a list or map.
Violation checkCount(const ::validate::FieldRules& rules, uint64_t size);

// Equal for equal elements of a list, and only for them.
std::string uniqueKey(const FieldValue& value);

} // namespace culvert::config
