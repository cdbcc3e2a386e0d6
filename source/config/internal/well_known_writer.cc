// SPDX-License-Identifier: Apache-2.0
// The types whose JSON form is their own: Any, Duration, Timestamp, Struct, Value, wrappers.
#include <memory>
#include <string>
#include <variant>

#include "absl/strings/str_cat.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/message.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"

#include "source/config/internal/message_writer.h"
#include "source/config/internal/names.h"
#include "source/config/suggest.h"

namespace culvert::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DynamicCastToGenerated;
using google::protobuf::Message;
using Kind = Node::Kind;

bool isWrapper(const Descriptor& type) {
  return type.file()->name() == "google/protobuf/wrappers.proto";
}

// Those whose JSON form is not a map of their fields, which an Any holds under "value".
bool hasOwnJson(const Descriptor& type) {
  static constexpr absl::string_view kTypes[] = {
      "google.protobuf.Any",    "google.protobuf.Duration", "google.protobuf.Timestamp",
      "google.protobuf.Struct", "google.protobuf.Value",    "google.protobuf.ListValue"};
  for (const absl::string_view known : kTypes) {
    if (type.full_name() == known) {
      return true;
    }
  }
  return isWrapper(type);
}

// Equal messages must have equal bytes: updates are recognised by them.
std::string serialize(const Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializePartialToCodedStream(&coded);
  }
  return bytes;
}

} // namespace

bool MessageWriter::wellKnown(const Place& place, const Node& node, Message& message) {
  const Descriptor& type = *message.GetDescriptor();
  if (isWrapper(type) && node.kind != Kind::kMap) {
    wrapped(place, node, message);
  } else if (type.full_name() == "google.protobuf.Any") {
    any(place, node, message);
  } else if (type.full_name() == "google.protobuf.Duration" && node.kind != Kind::kMap) {
    duration(place, node, message);
  } else if (type.full_name() == "google.protobuf.Timestamp" && node.kind != Kind::kMap) {
    timestamp(place, node, message);
  } else if (auto* structure_message = DynamicCastToGenerated<google::protobuf::Struct>(&message)) {
    structure(place, node, *structure_message);
  } else if (auto* list_message = DynamicCastToGenerated<google::protobuf::ListValue>(&message)) {
    list(place, node, *list_message);
  } else if (auto* value_message = DynamicCastToGenerated<google::protobuf::Value>(&message)) {
    value(place, node, *value_message);
  } else {
    return false;
  }
  return true;
}

const Node::Entry* MessageWriter::anyType(const Place& place, const Node& node) {
  for (const Node::Entry& entry : node.entries) {
    if (entry.key == kTypeKey) {
      return &entry;
    }
  }
  if (!node.entries.empty()) {
    misfit(place, node.mark,
           {"\"@type\" is missing: it says what kind of configuration this is, as "
            "\"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "in legacy mode, missing @type in Any is only allowed for an empty object"});
  }
  return nullptr;
}

void MessageWriter::any(const Place& place, const Node& node, Message& message) {
  if (!expectMap(place, node, "a map with \"@type\"")) {
    return;
  }
  const Node::Entry* type_entry = anyType(place, node);
  if (type_entry == nullptr) {
    return;
  }
  const Node& type_node = *type_entry->value;
  const Decoded<std::string> decoded = decodeString(type_node);
  if (const Misfit* why = std::get_if<Misfit>(&decoded)) {
    misfit(place, type_node.mark, *why);
    return;
  }
  const std::string& url = std::get<std::string>(decoded);
  const size_t slash = url.rfind('/');
  const bool hosted = slash != std::string::npos && slash > 0;
  const Descriptor* type =
      hosted ? google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
                   url.substr(slash + 1))
             : nullptr;
  if (type == nullptr) {
    const std::string said =
        hosted ? absl::StrCat("could not find @type '", url, "'")
               : absl::StrCat("@type must contain at least one / and a nonempty host; got: ", url);
    problems_.errorAt(
        type_node.mark.position, absl::StrCat(place.path, ".@type"),
        absl::StrCat("no such type: ", quoted(url), hintForType(url)),
        absl::StrCat("Unable to parse JSON as proto (INVALID_ARGUMENT: ", said, "): {...}"));
    problems_.excuse(place.path);
    return;
  }
  const std::unique_ptr<Message> inner(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
  Place inside = place;
  absl::StrAppend(&inside.envoy, inside.envoy.empty() ? "" : ".", kInsideAny);
  inside.kind = absl::StrCat("message ", type->full_name());
  if (hasOwnJson(*type)) {
    wellKnownInAny(inside, node, *inner);
  } else {
    this->message(inside, node, *inner);
  }
  auto& packed = *DynamicCastToGenerated<google::protobuf::Any>(&message);
  packed.set_type_url(url);
  packed.set_value(serialize(*inner));
}

void MessageWriter::wellKnownInAny(const Place& place, const Node& node, Message& inner) {
  for (const Node::Entry& entry : node.entries) {
    if (entry.key == "value") {
      this->message(place.deeper(), *entry.value, inner);
    } else if (entry.key != kTypeKey) {
      misfit(place, entry.key_mark,
             {absl::StrCat("a ", inner.GetDescriptor()->full_name(),
                           " holds only \"@type\" and \"value\" here, not ", quoted(entry.key)),
              "fields in a well-known-typed Any must be @type or value"});
    }
  }
}

void MessageWriter::duration(const Place& place, const Node& node, Message& message) {
  store(place, node, decodeDuration(node), [&](const Span& span) {
    auto& duration = *DynamicCastToGenerated<google::protobuf::Duration>(&message);
    duration.set_seconds(span.seconds);
    duration.set_nanos(span.nanos);
  });
}

void MessageWriter::timestamp(const Place& place, const Node& node, Message& message) {
  auto& timestamp = *DynamicCastToGenerated<google::protobuf::Timestamp>(&message);
  if (node.kind != Kind::kString ||
      !google::protobuf::util::TimeUtil::FromString(node.text, &timestamp)) {
    misfit(place, node.mark,
           {absl::StrCat("a time such as 2030-01-31T12:00:00Z is expected, not ", describe(node)),
            ""});
  }
}

void MessageWriter::structure(const Place& place, const Node& node,
                              google::protobuf::Struct& message) {
  Place inside = place;
  absl::StrAppend(&inside.envoy, inside.envoy.empty() ? "" : ".", "<struct>");
  inside.kind = "message google.protobuf.Struct.FieldsEntry";
  if (!expectMap(inside, node, "a map of names and values")) {
    return;
  }
  int index = 0;
  for (const Node::Entry* entry : lastOfEachName(place, node)) {
    Place here = inside.deeper().element(0, index++);
    here.path = absl::StrCat(place.path, place.path.empty() ? "" : ".", entry->key);
    problems_.sources().add(here.path, entry->key_mark.position);
    if (!enter(here, *entry->value)) {
      return;
    }
    if (!isUtf8(entry->key)) {
      misfit(here, entry->key_mark, {"the name is not valid UTF-8", ""});
      continue;
    }
    value(here, *entry->value, (*message.mutable_fields())[entry->key]);
  }
}

void MessageWriter::list(const Place& place, const Node& node,
                         google::protobuf::ListValue& message) {
  Place inside = place;
  absl::StrAppend(&inside.envoy, ".<list>");
  if (node.kind != Kind::kList) {
    misfit(
        inside, node.mark,
        {absl::StrCat("a list is expected, not ", describe(node)), unexpectedCharacter(node, '[')});
    return;
  }
  for (size_t i = 0; i < node.entries.size(); i++) {
    const Place here = inside.deeper().element(static_cast<int>(i), static_cast<int>(i));
    if (!enter(here, *node.entries[i].value)) {
      return;
    }
    value(here, *node.entries[i].value, *message.add_values());
  }
}

void MessageWriter::value(const Place& place, const Node& node, google::protobuf::Value& message) {
  Place inside = place;
  switch (node.kind) {
  case Kind::kNull:
    message.set_null_value(google::protobuf::NULL_VALUE);
    return;
  case Kind::kBool:
    message.set_bool_value(node.boolean);
    return;
  case Kind::kNumber:
    return store(place, node, decodeDouble(node),
                 [&](double number) { message.set_number_value(number); });
  case Kind::kString:
    return store(place, node, decodeString(node),
                 [&](const std::string& text) { message.set_string_value(text); });
  case Kind::kList:
    inside.envoy += ".list_value";
    return list(inside, node, *message.mutable_list_value());
  case Kind::kMap:
    inside.envoy += ".struct_value";
    return structure(inside, node, *message.mutable_struct_value());
  }
}

} // namespace culvert::config
