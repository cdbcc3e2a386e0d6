// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "source/config/internal/scalars.h"
#include "source/config/internal/tree.h"
#include "source/config/problems.h"

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
class ListValue;
class Message;
class Struct;
class Value;
} // namespace google::protobuf

namespace culvert::config {

/**
 * Writes a tree of YAML or JSON values into a message by the proto3 JSON rules, reports every
 * value that does not fit and goes on with the next. What is already in the message stays:
 * scalars are replaced, messages merged, repeated fields appended to.
 *
 * Threads: one.
 * Lifetime: used once, within one call of the loader.
 */
class MessageWriter {
public:
  // `nodes` is the size of the tree: aliases may make only so much more of it.
  MessageWriter(const google::protobuf::Descriptor& root, size_t nodes, Problems& problems);

  void write(const Node& node, google::protobuf::Message& message);

private:
  // Where we are: in an operator's spelling, and in that of Envoy's JSON parser.
  struct Place {
    std::string path;
    std::string envoy;
    std::string kind; // "message envoy.config.core.v3.Address", "string"
    int depth = 1;

    Place field(const google::protobuf::FieldDescriptor& field) const;
    Place element(int index, int written_index) const;
    Place entry(absl::string_view key, int written_index) const;
    Place deeper() const;
  };
  struct Target; // A field of a message, to be set or to be added to.
  struct Written;

  void message(const Place& place, const Node& node, google::protobuf::Message& message);
  bool wellKnown(const Place& place, const Node& node, google::protobuf::Message& message);
  void fields(const Place& place, const Node& node, google::protobuf::Message& message);
  void field(const Place& place, const Node& node, google::protobuf::Message& message,
             const google::protobuf::FieldDescriptor& field);
  void repeated(const Place& place, const Node& node, google::protobuf::Message& message,
                const google::protobuf::FieldDescriptor& field);
  void map(const Place& place, const Node& node, google::protobuf::Message& message,
           const google::protobuf::FieldDescriptor& field);
  void singular(const Place& place, const Node& node, const Target& target);
  void scalar(const Place& place, const Node& node, const Target& target);
  void wrapped(const Place& place, const Node& node, google::protobuf::Message& message);
  void enumeration(const Place& place, const Node& node, const Target& target);
  void any(const Place& place, const Node& node, google::protobuf::Message& message);
  const Node::Entry* anyType(const Place& place, const Node& node);
  void wellKnownInAny(const Place& place, const Node& node, google::protobuf::Message& inner);
  void duration(const Place& place, const Node& node, google::protobuf::Message& message);
  void timestamp(const Place& place, const Node& node, google::protobuf::Message& message);
  void structure(const Place& place, const Node& node, google::protobuf::Struct& message);
  void list(const Place& place, const Node& node, google::protobuf::ListValue& message);
  void value(const Place& place, const Node& node, google::protobuf::Value& message);

  template <class T, class Set>
  void store(const Place& place, const Node& node, const Decoded<T>& decoded, Set set);
  // The entries of a map without those that a later one of the same name replaces.
  std::vector<const Node::Entry*> lastOfEachName(const Place& place, const Node& node);
  bool firstOfItsKind(const Written& here, std::unordered_map<const void*, Written>& written);
  bool enter(const Place& place, const Node& node);
  bool expectMap(const Place& place, const Node& node, absl::string_view what);

  void unknownField(const Place& place, const Node::Entry& entry,
                    const google::protobuf::Descriptor& type);
  void misfit(const Place& place, const Mark& mark, const Misfit& misfit);
  std::string detail(const Place& place, const Mark& mark, absl::string_view what) const;

  static constexpr absl::string_view kTypeKey = "@type";
  // Envoy's step between an Any and its fields.
  static constexpr absl::string_view kInsideAny = "<any>";

  std::string root_;
  Problems& problems_;
  std::vector<const google::protobuf::Descriptor*> around_;
  const size_t steps_max_;
  size_t steps_ = 0;
};

template <class T, class Set>
void MessageWriter::store(const Place& place, const Node& node, const Decoded<T>& decoded,
                          Set set) {
  if (const T* value = std::get_if<T>(&decoded)) {
    set(*value);
  } else {
    misfit(place, node.mark, std::get<Misfit>(decoded));
  }
}

} // namespace culvert::config
