// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/internal/json_format.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "google/protobuf/struct.pb.h"
#include "source/base/json_text.h"

namespace culvert::access_log::internal {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

} // namespace

absl::StatusOr<JsonFormat> JsonFormat::create(const Struct& format, bool omit_empty) {
  JsonFormat result(omit_empty);
  if (absl::Status status = result.compileObject(format, "", result.root_); !status.ok())
    return status;
  return result;
}

absl::Status JsonFormat::compile(const Value& value, const std::string& path, Node& node) const {
  switch (value.kind_case()) {
  case Value::KIND_NOT_SET:
  case Value::kNullValue:
    return absl::OkStatus();
  case Value::kBoolValue:
    node.kind = Node::Kind::kLiteral;
    node.literal = value.bool_value() ? "true" : "false";
    return absl::OkStatus();
  case Value::kNumberValue:
    node.kind = Node::Kind::kLiteral;
    base::appendJsonNumber(value.number_value(), node.literal);
    return absl::OkStatus();
  case Value::kStringValue:
    return compileString(value.string_value(), path, node);
  case Value::kStructValue:
    return compileObject(value.struct_value(), path, node);
  case Value::kListValue:
    break;
  }
  node.kind = Node::Kind::kList;
  for (const Value& member : value.list_value().values()) {
    const std::string member_path = absl::StrCat(path, "[", node.members.size(), "]");
    if (absl::Status status = compile(member, member_path, node.members.emplace_back());
        !status.ok())
      return status;
  }
  return absl::OkStatus();
}

absl::Status JsonFormat::compileObject(const Struct& object, const std::string& path,
                                       Node& node) const {
  node.kind = Node::Kind::kObject;
  std::map<std::string, const Value*> sorted;
  for (const auto& [key, value] : object.fields())
    sorted.emplace(key, &value);
  for (const auto& [key, value] : sorted) {
    Node& member = node.members.emplace_back();
    base::appendJsonString(key, member.key);
    member.key.push_back(':');
    const std::string member_path = path.empty() ? key : absl::StrCat(path, ".", key);
    if (absl::Status status = compile(*value, member_path, member); !status.ok())
      return status;
  }
  return absl::OkStatus();
}

absl::Status JsonFormat::compileString(const std::string& text, const std::string& path,
                                       Node& node) const {
  auto pieces = parseFormat(text);
  if (!pieces.ok())
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", pieces.status().message()));
  const Piece& first = pieces->front();
  if (pieces->size() == 1 && !first.op.has_value()) {
    node.kind = Node::Kind::kLiteral;
    base::appendJsonString(first.literal, node.literal);
    return absl::OkStatus();
  }
  const bool alone = pieces->size() == 1 && first.literal.empty();
  node.kind = alone ? Node::Kind::kValue : Node::Kind::kString;
  node.pieces = *std::move(pieces);
  for (Piece& piece : node.pieces)
    base::escapeJson(piece.literal, 0);
  return absl::OkStatus();
}

void JsonFormat::append(const Entry& entry, std::string& out) const {
  appendMembers(root_, entry, out);
}

bool JsonFormat::appendNode(const Node& node, const Entry& entry, std::string& out) const {
  const size_t start = out.size();
  switch (node.kind) {
  case Node::Kind::kNull:
    return false;
  case Node::Kind::kLiteral:
    out += node.literal;
    return true;
  case Node::Kind::kValue:
    return node.pieces.front().op->appendJson(entry, out);
  case Node::Kind::kString:
    appendString(node, entry, out);
    return true;
  case Node::Kind::kList:
    appendMembers(node, entry, out);
    return true;
  case Node::Kind::kObject:
    break;
  }
  appendMembers(node, entry, out);
  constexpr size_t kEmptyObjectBytes = 2;
  if (!omit_empty_ || out.size() - start > kEmptyObjectBytes)
    return true;
  out.resize(start);
  return false;
}

void JsonFormat::appendMembers(const Node& node, const Entry& entry, std::string& out) const {
  const bool object = node.kind == Node::Kind::kObject;
  out.push_back(object ? '{' : '[');
  const size_t start = out.size();
  for (const Node& member : node.members) {
    const size_t before = out.size();
    if (before > start)
      out.push_back(',');
    out += member.key;
    if (appendNode(member, entry, out))
      continue;
    if (omit_empty_) {
      out.resize(before);
    } else {
      out += "null";
    }
  }
  out.push_back(object ? '}' : ']');
}

void JsonFormat::appendString(const Node& node, const Entry& entry, std::string& out) const {
  out.push_back('"');
  for (const Piece& piece : node.pieces) {
    out += piece.literal;
    if (!piece.op.has_value())
      continue;
    const size_t start = out.size();
    if (piece.op->appendText(entry, out) == Found::kNothing) {
      out += omit_empty_ ? "" : "-";
    } else {
      base::escapeJson(out, start);
    }
  }
  out.push_back('"');
}

} // namespace culvert::access_log::internal
