// SPDX-License-Identifier: Apache-2.0
#include "source/config/validate.h"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/message.h"
#include "validate/validate.pb.h"

#include "source/base/proto.h"
#include "source/config/internal/rules.h"
#include "source/config/internal/unknown_fields.h"
#include "source/config/message_walk.h"
#include "source/config/suggest.h"

namespace culvert::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Duration;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using ::validate::FieldRules;

// Envoy keeps durations as 64 bits of nanoseconds.
constexpr int64_t kDurationSecondsMax = INT64_MAX / 1'000'000'000 - 1;

bool isWrapper(const Descriptor& type) {
  return type.file()->name() == "google/protobuf/wrappers.proto";
}

std::string camelCase(absl::string_view name) {
  std::string out;
  bool upper = true;
  for (const char c : name) {
    if (c == '_') {
      upper = true;
      continue;
    }
    out.push_back(upper ? absl::ascii_toupper(c) : c);
    upper = false;
  }
  return out;
}

// A message that is being checked: its path, and what Envoy's sentence says of those around it.
struct Place {
  std::string path;
  std::string around;
};

class Checker {
public:
  explicit Checker(Problems& problems) : problems_(problems) {}

  void message(const Message& message, const Place& place) {
    const Descriptor& type = *message.GetDescriptor();
    if (type.options().GetExtension(::validate::disabled) ||
        type.options().GetExtension(::validate::ignored)) {
      return;
    }
    for (int i = 0; i < type.field_count(); i++) {
      if (type.field(i)->real_containing_oneof() == nullptr) {
        field(message, *type.field(i), place);
      }
    }
    for (int i = 0; i < type.real_oneof_decl_count(); i++) {
      oneof(message, *type.oneof_decl(i), place);
    }
  }

private:
  void oneof(const Message& message, const google::protobuf::OneofDescriptor& oneof,
             const Place& place) {
    if (const FieldDescriptor* set =
            message.GetReflection()->GetOneofFieldDescriptor(message, &oneof)) {
      field(message, *set, place);
    } else if (oneof.options().GetExtension(::validate::required) &&
               !problems_.excused(fieldPath(place.path, oneof.name()))) {
      std::vector<std::string> names;
      for (int i = 0; i < oneof.field_count(); i++) {
        names.push_back(oneof.field(i)->name());
      }
      const bool choice = names.size() > 1;
      problems_.error(
          place.path,
          absl::StrCat(choice ? "one of " : "", absl::StrJoin(names, ", "), " must be set"),
          envoy(place, absl::StrCat("field: \"", oneof.name(), "\", reason: is required")));
    }
  }

  void field(const Message& message, const FieldDescriptor& field, const Place& place) {
    const FieldRules& rules = field.options().GetExtension(::validate::rules);
    if (field.is_map()) {
      map(rules, message, field, place);
    } else if (field.is_repeated()) {
      repeated(rules, message, field, place);
    } else if (field.has_presence() && !message.GetReflection()->HasField(message, &field)) {
      absent(rules, field, place);
    } else {
      present(rules, {message, &field}, place, "");
    }
  }

  void absent(const FieldRules& rules, const FieldDescriptor& field, const Place& place) {
    if (rules.message().required() || rules.any().required() || rules.duration().required()) {
      const bool wrapper = field.message_type() != nullptr && isWrapper(*field.message_type());
      report(place, field, "", "must be set",
             rules.message().required() && wrapper ? "value is required and must not be nil."
                                                   : "value is required");
    }
  }

  // A value that is there: its own rules, then those of the message that it is.
  void present(const FieldRules& rules, const FieldValue& value, const Place& place,
               const std::string& index) {
    const FieldDescriptor& field = *value.field;
    const std::string path = valuePath(place, field, index);
    if (field.message_type() == nullptr) {
      own(rules, value, place, index);
      return;
    }
    const Message& inner = value.message();
    if (isWrapper(*inner.GetDescriptor())) {
      const FieldValue wrapped{inner, inner.GetDescriptor()->field(0)};
      if (const Violation violation = checkValue(rules, wrapped)) {
        report(place, field, index, explain(wrapped, *violation), *violation);
      }
      return;
    }
    own(rules, value, place, index);
    if (!rules.message().skip()) {
      message(inner, {path, absl::StrCat(place.around, name(field, index),
                                         ": embedded message failed validation | caused by ")});
    }
  }

  void own(const FieldRules& rules, const FieldValue& value, const Place& place,
           const std::string& index) {
    if (const Violation violation = checkValue(rules, value)) {
      report(place, *value.field, index, explain(value, *violation), *violation);
    }
  }

  void repeated(const FieldRules& rules, const Message& message, const FieldDescriptor& field,
                const Place& place) {
    const int size = message.GetReflection()->FieldSize(message, &field);
    if (const Violation violation = checkCount(rules, size)) {
      report(place, field, "", *violation, *violation);
    }
    std::set<std::string> seen;
    for (int i = 0; i < size; i++) {
      const FieldValue value{message, &field, i};
      if (rules.repeated().unique() && !seen.insert(uniqueKey(value)).second) {
        const std::string repeat = "repeated value must contain unique items";
        report(place, field, absl::StrCat(i), explain(value, repeat), repeat);
      }
      present(rules.repeated().items(), value, place, absl::StrCat(i));
    }
  }

  void map(const FieldRules& rules, const Message& message, const FieldDescriptor& field,
           const Place& place) {
    const int size = message.GetReflection()->FieldSize(message, &field);
    if (const Violation violation = checkCount(rules, size)) {
      report(place, field, "", *violation, *violation);
    }
    for (int i = 0; i < size; i++) {
      const Message& entry = message.GetReflection()->GetRepeatedMessage(message, &field, i);
      const FieldValue key{entry, entry.GetDescriptor()->map_key()};
      const FieldValue value{entry, entry.GetDescriptor()->map_value()};
      const std::string index = mapKeyText(entry);
      if (const Violation violation = checkValue(rules.map().keys(), key)) {
        problems_.error(
            valuePath(place, field, index), explain(key, *violation),
            envoy(place, absl::StrCat("key for ", name(field, index), ": ", *violation)));
      }
      if (value.field->message_type() != nullptr) {
        const std::string around = absl::StrCat(
            place.around, name(field, index), ": embedded message failed validation | caused by ");
        this->message(value.message(), {valuePath(place, field, index), around});
      } else if (const Violation violation = checkValue(rules.map().values(), value)) {
        report(place, field, index, explain(value, *violation), *violation);
      }
    }
  }

  static std::string valuePath(const Place& place, const FieldDescriptor& field,
                               const std::string& index) {
    const std::string path = fieldPath(place.path, field.name());
    return index.empty() ? path : elementPath(path, index);
  }

  static std::string name(const FieldDescriptor& field, const std::string& index) {
    return absl::StrCat(field.containing_type()->name(), "ValidationError.",
                        camelCase(field.name()), index.empty() ? "" : elementPath("", index));
  }

  static std::string envoy(const Place& place, absl::string_view reason) {
    return absl::StrCat("Proto constraint validation failed (", place.around, reason, ")");
  }

  // The rule, after the value that breaks it.
  static std::string explain(const FieldValue& value, absl::string_view rule) {
    std::string shown;
    switch (value.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      shown = value.string().empty() ? "an empty value" : quoted(value.string());
      break;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (value.message().GetTypeName() == "google.protobuf.Duration") {
        Duration duration;
        duration.CopyFrom(value.message());
        shown = absl::StrCat(duration.seconds() + duration.nanos() / 1e9, "s");
      }
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      shown = absl::StrCat(value.enumNumber());
      break;
    default:
      shown = absl::StrCat(value.number<double>());
    }
    return shown.empty() ? std::string(rule) : absl::StrCat(shown, " is refused: ", rule);
  }

  void report(const Place& place, const FieldDescriptor& field, const std::string& index,
              absl::string_view text, absl::string_view reason) {
    const std::string path = valuePath(place, field, index);
    if (!problems_.excused(path)) {
      problems_.error(path, text, envoy(place, absl::StrCat(name(field, index), ": ", reason)));
    }
  }

  Problems& problems_;
};

void checkDurations(const Message& message, absl::string_view path, Problems& problems) {
  forEachMessage(message, std::string(path), [&](const Message& found, const std::string& where) {
    if (found.GetTypeName() != "google.protobuf.Duration" || problems.excused(where)) {
      return;
    }
    Duration duration;
    duration.CopyFrom(found);
    const std::string dump = duration.ShortDebugString();
    if (duration.seconds() < 0 || duration.nanos() < 0) {
      problems.error(where, "a duration can't be negative",
                     absl::StrCat("Invalid duration: Expected positive duration: ", dump));
    } else if (duration.seconds() > kDurationSecondsMax || duration.nanos() > 999'999'999) {
      problems.error(where, "the duration is too long: no more than 292 years fit",
                     absl::StrCat("Invalid duration: Duration out-of-range: ", dump));
    } else {
      return;
    }
    problems.excuse(where);
  });
}

std::string fileName(const google::protobuf::FileDescriptor& file) {
  return file.name().substr(file.name().rfind('/') + 1);
}

void warnOfField(const Message& message, const FieldDescriptor& field, const std::string& path,
                 Problems& problems) {
  if (field.options().deprecated()) {
    problems.warning(path, absl::StrCat("'", field.name(), "' is deprecated"),
                     absl::StrCat("Deprecated field: type ", message.GetTypeName(),
                                  " Using deprecated option '", field.full_name(), "' from file ",
                                  fileName(*field.file()),
                                  ". This configuration will be removed from Envoy soon."));
  }
  if (field.enum_type() != nullptr && !field.is_repeated()) {
    const auto* value = message.GetReflection()->GetEnum(message, &field);
    if (value->options().deprecated()) {
      problems.warning(path, absl::StrCat("'", value->name(), "' is deprecated"),
                       absl::StrCat("Using deprecated value ", value->name(), " for enum '",
                                    field.full_name(), "' from file ", fileName(*field.file()),
                                    "."));
    }
  }
}

} // namespace

bool validate(const Message& message, absl::string_view path, Problems& problems) {
  const size_t errors = problems.errors();
  checkDurations(message, path, problems);
  Checker(problems).message(message, {std::string(path), ""});
  return problems.errors() == errors;
}

bool unpack(const google::protobuf::Any& any, absl::string_view path, Message& message,
            Problems& problems) {
  const size_t errors = problems.errors();
  if (base::typeOf(any) != message.GetTypeName() || !message.ParseFromString(any.value())) {
    problems.error(
        path, absl::StrCat("this is no ", message.GetTypeName()),
        absl::StrCat("Unable to unpack as ", message.GetTypeName(), ": [", any.type_url(), "]"));
    return false;
  }
  reportUnknownFields(message, std::string(path), problems);
  warnOfDeprecated(message, path, problems);
  validate(message, path, problems);
  return problems.errors() == errors;
}

void warnOfDeprecated(const Message& message, absl::string_view path, Problems& problems) {
  if (problems.deprecatedSkipped()) {
    return;
  }
  forEachMessage(message, std::string(path), [&](const Message& found, const std::string& where) {
    std::vector<const FieldDescriptor*> set;
    found.GetReflection()->ListFields(found, &set);
    for (const FieldDescriptor* field : set) {
      warnOfField(found, *field, fieldPath(where, field->name()), problems);
    }
  });
}

} // namespace culvert::config
