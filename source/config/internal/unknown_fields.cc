// SPDX-License-Identifier: Apache-2.0
#include "source/config/internal/unknown_fields.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/message.h"
#include "google/protobuf/unknown_field_set.h"

#include "source/config/message_walk.h"

namespace culvert::config {

void reportUnknownFields(const google::protobuf::Message& message, const std::string& path,
                         Problems& problems) {
  forEachMessage(
      message, path, [&](const google::protobuf::Message& found, const std::string& where) {
        const auto& unknown = found.GetReflection()->GetUnknownFields(found);
        std::vector<int> numbers;
        for (int i = 0; i < unknown.field_count(); i++) {
          numbers.push_back(unknown.field(i).number());
        }
        if (!numbers.empty()) {
          const std::string list = absl::StrJoin(numbers, ", ");
          problems.unknownField(
              where, absl::StrCat(found.GetTypeName(), " has no field of number ", list),
              absl::StrCat("Protobuf message (type ", message.GetTypeName(),
                           "(root) with unknown field set {", list, "}) has unknown fields"));
        }
      });
}

} // namespace culvert::config
