// SPDX-License-Identifier: Apache-2.0
#include "source/config/message_walk.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace culvert::config {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::string fieldPath(absl::string_view path, absl::string_view field) {
  return absl::StrCat(path, path.empty() ? "" : ".", field);
}

std::string elementPath(absl::string_view path, absl::string_view index_or_key) {
  return absl::StrCat(path, "[", index_or_key, "]");
}

std::string mapKeyText(const Message& entry) {
  const FieldDescriptor* key = entry.GetDescriptor()->map_key();
  const Reflection& reflection = *entry.GetReflection();
  switch (key->cpp_type()) {
  case FieldDescriptor::CPPTYPE_STRING:
    return reflection.GetString(entry, key);
  case FieldDescriptor::CPPTYPE_BOOL:
    return reflection.GetBool(entry, key) ? "true" : "false";
  case FieldDescriptor::CPPTYPE_INT32:
    return absl::StrCat(reflection.GetInt32(entry, key));
  case FieldDescriptor::CPPTYPE_UINT32:
    return absl::StrCat(reflection.GetUInt32(entry, key));
  case FieldDescriptor::CPPTYPE_UINT64:
    return absl::StrCat(reflection.GetUInt64(entry, key));
  default:
    return absl::StrCat(reflection.GetInt64(entry, key));
  }
}

void forEachChild(
    const Message& message, absl::string_view path,
    const std::function<void(const FieldDescriptor&, const Message&, const std::string&)>& visit) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->message_type() == nullptr) {
      continue;
    }
    const std::string at = fieldPath(path, field->name());
    if (!field->is_repeated()) {
      visit(*field, reflection.GetMessage(message, field), at);
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); i++) {
      const Message& element = reflection.GetRepeatedMessage(message, field, i);
      if (!field->is_map()) {
        visit(*field, element, elementPath(at, absl::StrCat(i)));
      } else if (const FieldDescriptor* value = element.GetDescriptor()->map_value();
                 value->message_type() != nullptr) {
        visit(*field, element.GetReflection()->GetMessage(element, value),
              elementPath(at, mapKeyText(element)));
      }
    }
  }
}

void forEachMessage(const Message& message, const std::string& path,
                    const std::function<void(const Message&, const std::string&)>& visit) {
  visit(message, path);
  forEachChild(message, path,
               [&](const FieldDescriptor&, const Message& child, const std::string& child_path) {
                 forEachMessage(child, child_path, visit);
               });
}

} // namespace culvert::config
