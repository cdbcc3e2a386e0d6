// SPDX-License-Identifier: Apache-2.0
#include "source/config/internal/message_writer.h"

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

#include "source/config/internal/names.h"
#include "source/config/suggest.h"

namespace culvert::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Kind = Node::Kind;

// A value is entered as an element of a list, as a message and as what is in it.
constexpr size_t kStepsOfNodeMax = 4;
// Values that exist only because an alias repeats them.
constexpr size_t kAliasedMax = 100'000;

std::string kindOf(const FieldDescriptor& field) {
  const char* kind = field.type_name();
  if (field.message_type() != nullptr) {
    return absl::StrCat(kind, " ", field.message_type()->full_name());
  }
  if (field.enum_type() != nullptr) {
    return absl::StrCat(kind, " ", field.enum_type()->full_name());
  }
  return kind;
}

// As Envoy reads enums: as they are spelt, in any case, or by number.
const EnumValueDescriptor* findEnumValue(const google::protobuf::EnumDescriptor& type,
                                         absl::string_view text) {
  for (int i = 0; i < type.value_count(); i++) {
    if (absl::EqualsIgnoreCase(type.value(i)->name(), text)) {
      return type.value(i);
    }
  }
  return nullptr;
}

} // namespace

struct MessageWriter::Target {
  Message& message;
  const FieldDescriptor& field;
  bool adds;

  const Reflection& reflection() const { return *message.GetReflection(); }
  template <class T>
  void put(void (Reflection::*set)(Message*, const FieldDescriptor*, T) const,
           void (Reflection::*add)(Message*, const FieldDescriptor*, T) const, T value) const {
    (reflection().*(adds ? add : set))(&message, &field, std::move(value));
  }
  Message* mutableMessage() const {
    return adds ? reflection().AddMessage(&message, &field)
                : reflection().MutableMessage(&message, &field);
  }
};

// A field that the current message has been given.
struct MessageWriter::Written {
  const FieldDescriptor* field;
  Place place;
  const Node::Entry* entry;
};

MessageWriter::Place MessageWriter::Place::field(const FieldDescriptor& field) const {
  const absl::string_view dot = path.empty() ? "" : ".";
  const absl::string_view envoy_dot = envoy.empty() ? "" : ".";
  return {absl::StrCat(path, dot, field.name()), absl::StrCat(envoy, envoy_dot, field.name()),
          kindOf(field), depth};
}

MessageWriter::Place MessageWriter::Place::element(int index, int written_index) const {
  return {absl::StrCat(path, "[", index, "]"), absl::StrCat(envoy, "[", written_index, "]"), kind,
          depth};
}

MessageWriter::Place MessageWriter::Place::entry(absl::string_view key, int written_index) const {
  return {absl::StrCat(path, "[", key, "]"), absl::StrCat(envoy, "[", written_index, "]"), kind,
          depth};
}

MessageWriter::Place MessageWriter::Place::deeper() const {
  Place place = *this;
  place.depth++;
  return place;
}

MessageWriter::MessageWriter(const Descriptor& root, size_t nodes, Problems& problems)
    : root_(root.full_name()), problems_(problems),
      steps_max_(kStepsOfNodeMax * nodes + kAliasedMax) {}

void MessageWriter::write(const Node& node, Message& target) { message({}, node, target); }

// Shared and even circular nodes are legal YAML: depth and steps are what bounds the walk.
bool MessageWriter::enter(const Place& place, const Node& node) {
  const bool container = node.kind == Kind::kMap || node.kind == Kind::kList;
  if (container && place.depth > kDepthMax) {
    misfit(place, node.mark,
           {absl::StrCat("nested too deeply: more than ", kDepthMax, " levels"),
            "JSON content was too deeply nested"});
    return false;
  }
  if (steps_++ == steps_max_) {
    problems_.errorAt(
        node.mark.position, place.path,
        absl::StrCat("YAML aliases make more than ", kAliasedMax, " values of this file"));
  }
  return steps_ <= steps_max_;
}

bool MessageWriter::expectMap(const Place& place, const Node& node, absl::string_view what) {
  if (node.kind == Kind::kMap) {
    return true;
  }
  misfit(
      place, node.mark,
      {absl::StrCat(what, " is expected, not ", describe(node)), unexpectedCharacter(node, '{')});
  return false;
}

void MessageWriter::message(const Place& place, const Node& node, Message& message) {
  if (!enter(place, node) || wellKnown(place, node, message)) {
    return;
  }
  const Descriptor& type = *message.GetDescriptor();
  if (expectMap(place, node, absl::StrCat("a map of the fields of ", type.full_name()))) {
    around_.push_back(&type);
    fields(place, node, message);
    around_.pop_back();
  }
}

std::vector<const Node::Entry*> MessageWriter::lastOfEachName(const Place& place,
                                                              const Node& node) {
  std::unordered_set<std::string> later;
  std::vector<const Node::Entry*> entries;
  for (auto entry = node.entries.rbegin(); entry != node.entries.rend(); ++entry) {
    if (later.insert(entry->key).second) {
      entries.push_back(&*entry);
    } else {
      problems_.warningAt(entry->key_mark.position,
                          absl::StrCat(place.path, place.path.empty() ? "" : ".", entry->key),
                          "this is written once more further down, and the last one counts, "
                          "with Envoy too");
    }
  }
  return {entries.rbegin(), entries.rend()};
}

void MessageWriter::fields(const Place& place, const Node& node, Message& message) {
  const Descriptor& type = *message.GetDescriptor();
  std::unordered_map<const void*, Written> written; // By field and by oneof.
  for (const Node::Entry* entry : lastOfEachName(place, node)) {
    if (entry->key == kTypeKey && absl::EndsWith(place.envoy, kInsideAny)) {
      continue; // The name of the type that an Any holds.
    }
    const FieldDescriptor* field = findField(type, entry->key);
    if (field == nullptr) {
      unknownField(place, *entry, type);
      continue;
    }
    const Written here{field, place.field(*field), entry};
    problems_.sources().add(here.place.path, entry->key_mark.position);
    if (entry->value->kind != Kind::kNull && !firstOfItsKind(here, written)) {
      continue;
    }
    this->field(here.place, *entry->value, message, *field);
  }
}

bool MessageWriter::firstOfItsKind(const Written& here,
                                   std::unordered_map<const void*, Written>& written) {
  const auto complain = [this](const Written& one, const std::string& text) {
    misfit(one.place, one.entry->key_mark,
           {text, absl::StrCat("'", one.field->name(),
                               "' has already been set (either directly or as part of a oneof)")});
  };
  if (!written.emplace(here.field, here).second) {
    complain(here, "this is written twice, in both spellings of its name");
    return false;
  }
  const auto* oneof = here.field->real_containing_oneof();
  if (oneof == nullptr) {
    return true;
  }
  const auto [earlier, first] = written.emplace(oneof, here);
  if (!first) { // Which of the two Envoy names depends on a hash: so both are.
    const Written& other = earlier->second;
    complain(other, absl::StrCat("set together with '", here.field->name(),
                                 "', of which only one is allowed"));
    complain(here, absl::StrCat("set together with '", other.field->name(),
                                "', of which only one is allowed"));
  }
  return first;
}

void MessageWriter::unknownField(const Place& place, const Node::Entry& entry,
                                 const Descriptor& type) {
  if (problems_.full()) {
    problems_.errorAt(entry.key_mark.position, place.path, "unknown field");
    return;
  }
  around_.pop_back();
  const FieldHint hint = hintForField(entry.key, type, around_);
  around_.push_back(&type);
  const absl::string_view dot = place.path.empty() ? "" : ".";
  const std::string envoy =
      absl::StrCat("Protobuf message (type ", root_, " reason INVALID_ARGUMENT: ",
                   detail(place, entry.key_mark, absl::StrCat("no such field: '", entry.key, "'")),
                   ") has unknown fields");
  const bool refused = problems_.unknownFieldAt(
      entry.key_mark.position, absl::StrCat(place.path, dot, entry.key),
      absl::StrCat("unknown field of ", type.full_name(), hint.text), envoy);
  if (refused && !hint.suggested.empty()) {
    problems_.excuse(absl::StrCat(place.path, dot, hint.suggested));
    if (const auto* oneof = findField(type, hint.suggested)->real_containing_oneof()) {
      problems_.excuse(absl::StrCat(place.path, dot, oneof->name()));
    }
  }
}

void MessageWriter::field(const Place& place, const Node& node, Message& message,
                          const FieldDescriptor& field) {
  const bool null_means_value = !field.is_repeated() && field.message_type() != nullptr &&
                                field.message_type()->full_name() == "google.protobuf.Value";
  if (node.kind == Kind::kNull && !null_means_value) {
    return;
  }
  if (field.is_map()) {
    map(place, node, message, field);
  } else if (field.is_repeated()) {
    repeated(place, node, message, field);
  } else {
    singular(place, node, {message, field, false});
  }
}

void MessageWriter::repeated(const Place& place, const Node& node, Message& message,
                             const FieldDescriptor& field) {
  // A later file appends, so that our count goes on where Envoy's starts anew.
  const int base = message.GetReflection()->FieldSize(message, &field);
  const Target target{message, field, true};
  if (node.kind != Kind::kList) { // One value for a list of one, as in Envoy.
    Place only = place.element(base, 0);
    only.envoy = place.envoy;
    problems_.sources().add(only.path, node.mark.position);
    singular(only, node, target);
    return;
  }
  if (!enter(place, node)) {
    return;
  }
  for (size_t i = 0; i < node.entries.size(); i++) {
    const Place here = place.deeper().element(base + static_cast<int>(i), static_cast<int>(i));
    problems_.sources().add(here.path, node.entries[i].value->mark.position);
    if (!enter(here, *node.entries[i].value)) {
      return;
    }
    singular(here, *node.entries[i].value, target);
  }
}

void MessageWriter::map(const Place& place, const Node& node, Message& message,
                        const FieldDescriptor& field) {
  if (!enter(place, node) || !expectMap(place, node, "a map of names and values")) {
    return;
  }
  const FieldDescriptor& key = *field.message_type()->map_key();
  const FieldDescriptor& value = *field.message_type()->map_value();
  int index = 0;
  for (const Node::Entry* entry : lastOfEachName(place, node)) {
    const Place here = place.deeper().entry(entry->key, index++);
    problems_.sources().add(here.path, entry->key_mark.position);
    if (!enter(here, *entry->value)) {
      return;
    }
    Message& item = *message.GetReflection()->AddMessage(&message, &field);
    Node key_node;
    key_node.kind = Kind::kString;
    key_node.text = entry->key;
    key_node.mark = entry->key_mark;
    scalar(here, key_node, {item, key, false});
    singular(here, *entry->value, {item, value, false});
  }
}

void MessageWriter::singular(const Place& place, const Node& node, const Target& target) {
  if (target.field.message_type() == nullptr) {
    scalar(place, node, target);
    return;
  }
  Message& inner = *target.mutableMessage();
  if (node.kind != Kind::kNull ||
      target.field.message_type()->full_name() == "google.protobuf.Value") {
    message(place.deeper(), node, inner);
  }
}

void MessageWriter::scalar(const Place& place, const Node& node, const Target& target) {
  if (node.kind == Kind::kNull) { // An element of a list: it counts, with the default value.
    const bool text = target.field.cpp_type() == FieldDescriptor::CPPTYPE_STRING;
    const bool boolean = target.field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL;
    Node zero;
    zero.kind = text ? Kind::kString : boolean ? Kind::kBool : Kind::kNumber;
    zero.text = text ? "" : "0";
    scalar(place, zero, target);
    return;
  }
  const auto put = [&](auto set, auto add) {
    return [&target, set, add](auto value) { target.put(set, add, value); };
  };
  using R = Reflection;
  switch (target.field.cpp_type()) {
  case FieldDescriptor::CPPTYPE_INT32:
    return store(place, node, decodeInt(node, INT32_MIN, INT32_MAX), [&](int64_t value) {
      target.put(&R::SetInt32, &R::AddInt32, static_cast<int32_t>(value));
    });
  case FieldDescriptor::CPPTYPE_INT64:
    return store(place, node, decodeInt(node, INT64_MIN, INT64_MAX),
                 put(&R::SetInt64, &R::AddInt64));
  case FieldDescriptor::CPPTYPE_UINT32:
    return store(place, node, decodeUint(node, UINT32_MAX), [&](uint64_t value) {
      target.put(&R::SetUInt32, &R::AddUInt32, static_cast<uint32_t>(value));
    });
  case FieldDescriptor::CPPTYPE_UINT64:
    return store(place, node, decodeUint(node, UINT64_MAX), put(&R::SetUInt64, &R::AddUInt64));
  case FieldDescriptor::CPPTYPE_DOUBLE:
    return store(place, node, decodeDouble(node), put(&R::SetDouble, &R::AddDouble));
  case FieldDescriptor::CPPTYPE_FLOAT:
    return store(place, node, decodeDouble(node), [&](double value) {
      target.put(&R::SetFloat, &R::AddFloat, static_cast<float>(value));
    });
  case FieldDescriptor::CPPTYPE_BOOL:
    return store(place, node, decodeBool(node), put(&R::SetBool, &R::AddBool));
  case FieldDescriptor::CPPTYPE_STRING: {
    const bool bytes = target.field.type() == FieldDescriptor::TYPE_BYTES;
    return store(place, node, bytes ? decodeBytes(node) : decodeString(node),
                 put(&R::SetString, &R::AddString));
  }
  default:
    return enumeration(place, node, target);
  }
}

// The one field of google.protobuf.UInt32Value and its like.
void MessageWriter::wrapped(const Place& place, const Node& node, Message& message) {
  scalar(place, node, {message, *message.GetDescriptor()->field(0), false});
}

void MessageWriter::enumeration(const Place& place, const Node& node, const Target& target) {
  if (node.kind != Kind::kString && node.kind != Kind::kNumber) {
    misfit(place, node.mark,
           {absl::StrCat("the name of a value of ", target.field.enum_type()->full_name(),
                         " is expected, not ", describe(node)),
            "expected number or string"});
    return;
  }
  const auto* known = findEnumValue(*target.field.enum_type(), node.text);
  const Decoded<int64_t> number = decodeInt(node, INT32_MIN, INT32_MAX);
  if (known == nullptr && std::holds_alternative<Misfit>(number)) {
    problems_.errorAt(node.mark.position, place.path,
                      absl::StrCat("unknown value ", quoted(node.text), " of ",
                                   target.field.enum_type()->full_name(),
                                   hintForEnumValue(node.text, *target.field.enum_type())),
                      absl::StrCat("Protobuf message (type ", root_,
                                   " reason INVALID_ARGUMENT: unknown enum value: '", node.text,
                                   "') has unknown fields"));
    problems_.excuse(place.path);
    return;
  }
  target.put(&Reflection::SetEnumValue, &Reflection::AddEnumValue,
             known != nullptr ? known->number() : static_cast<int>(std::get<int64_t>(number)));
}

std::string MessageWriter::detail(const Place& place, const Mark& mark,
                                  absl::string_view what) const {
  const std::string where =
      place.envoy.empty() ? "" : absl::StrCat(" @ ", place.envoy, ": ", place.kind);
  return absl::StrCat("invalid JSON in ", root_, where, ", near ", mark.position.line, ":",
                      mark.position.column, " (offset ", mark.offset_bytes, "): ", what);
}

void MessageWriter::misfit(const Place& place, const Mark& mark, const Misfit& misfit) {
  problems_.excuse(place.path);
  const std::string envoy = misfit.envoy.empty()
                                ? ""
                                : absl::StrCat("Unable to parse JSON as proto (INVALID_ARGUMENT: ",
                                               detail(place, mark, misfit.envoy), "): {...}");
  problems_.errorAt(mark.position, place.path, misfit.text, envoy);
}

} // namespace culvert::config
