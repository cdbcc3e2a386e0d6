// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/access_log/internal/operator.h"

namespace google::protobuf {
class Struct;
class Value;
} // namespace google::protobuf

namespace culvert::access_log::internal {

// A JSON object whose strings may hold operators. A string that is one operator and nothing else
// takes that operator's type; others stay strings.
// Threads: any, once created.
class JsonFormat {
public:
  // Errors: those of parseFormat behind the path of the key: "a.b[2]: ...".
  static absl::StatusOr<JsonFormat> create(const google::protobuf::Struct& format, bool omit_empty);

  void append(const Entry& entry, std::string& out) const;

private:
  struct Node {
    enum class Kind : uint8_t { kLiteral, kNull, kValue, kString, kObject, kList };
    Kind kind = Kind::kNull;
    std::string key;           // "key": as it is printed; of an object's members.
    std::string literal;       // JSON
    std::vector<Piece> pieces; // Of a string; of a value the one operator.
    std::vector<Node> members;
  };

  explicit JsonFormat(bool omit_empty) : omit_empty_(omit_empty) {}
  absl::Status compile(const google::protobuf::Value& value, const std::string& path,
                       Node& node) const;
  absl::Status compileObject(const google::protobuf::Struct& object, const std::string& path,
                             Node& node) const;
  absl::Status compileString(const std::string& text, const std::string& path, Node& node) const;

  // False when there is no value; nothing is appended then.
  bool appendNode(const Node& node, const Entry& entry, std::string& out) const;
  void appendMembers(const Node& node, const Entry& entry, std::string& out) const;
  void appendString(const Node& node, const Entry& entry, std::string& out) const;

  bool omit_empty_;
  Node root_;
};

} // namespace culvert::access_log::internal
