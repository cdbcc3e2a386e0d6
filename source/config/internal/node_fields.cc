// SPDX-License-Identifier: Apache-2.0
#include "source/config/internal/node_fields.h"

#include <algorithm>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "source/config/suggest.h"

namespace culvert::config {

bool NodeValue::isScalar() const {
  return node_.kind == Node::Kind::kString || node_.kind == Node::Kind::kNumber ||
         node_.kind == Node::Kind::kBool;
}

bool NodeValue::expect(Node::Kind kind, absl::string_view what) const {
  if (node_.kind != kind) {
    error(absl::StrCat("must be ", what));
    return false;
  }
  return true;
}

std::string NodeValue::text() const {
  if (!isScalar()) {
    error("must be a text");
    return "";
  }
  if (!isUtf8(node_.text)) {
    error("must be UTF-8");
    return "";
  }
  return node_.text;
}

bool NodeValue::boolean() const {
  return expect(Node::Kind::kBool, "true or false") && node_.boolean;
}

uint64_t NodeValue::integer(absl::string_view spelled, uint64_t max) const {
  uint64_t value = 0;
  if (!absl::SimpleAtoi(spelled, &value) || value > max) {
    error(absl::StrCat(quoted(spelled), " is no number from 0 to ", max));
    return 0;
  }
  return value;
}

void NodeValue::unknownName(const std::vector<std::string>& names) const {
  error(absl::StrCat(isScalar() ? quoted(node_.text) : "this", " is none of ",
                     absl::StrJoin(names, ", "),
                     isScalar() ? didYouMean(nearestName(node_.text, names)) : ""));
}

NodeFields::NodeFields(const NodeValue& value)
    : NodeValue(value), is_map_(expect(Node::Kind::kMap, "a map")) {}

std::string NodeFields::pathOf(absl::string_view name) const {
  return path().empty() ? std::string(name) : absl::StrCat(path(), ".", name);
}

std::optional<NodeValue> NodeFields::find(absl::string_view name) {
  known_.emplace_back(name);
  if (!is_map_) {
    return std::nullopt;
  }
  for (const Node::Entry& entry : node().entries) {
    if (entry.key == name) {
      return entry.value->kind == Node::Kind::kNull
                 ? std::nullopt
                 : std::optional(NodeValue(*entry.value, pathOf(name), problems()));
    }
  }
  return std::nullopt;
}

std::optional<NodeValue> NodeFields::require(absl::string_view name) {
  auto value = find(name);
  if (!value.has_value() && is_map_) {
    problems().errorAt(node().mark.position, pathOf(name), "is missing");
  }
  return value;
}

std::string NodeFields::text(absl::string_view name) {
  const auto value = find(name);
  return value.has_value() ? value->text() : "";
}

void NodeFields::finish() {
  std::set<absl::string_view> seen;
  for (const Node::Entry& entry : is_map_ ? node().entries : std::vector<Node::Entry>()) {
    const std::string at = pathOf(entry.key);
    if (std::find(known_.begin(), known_.end(), entry.key) == known_.end()) {
      problems().errorAt(
          entry.key_mark.position, at,
          absl::StrCat("there is no such field", didYouMean(nearestName(entry.key, known_))));
    } else if (!seen.insert(entry.key).second) {
      problems().errorAt(entry.key_mark.position, at, "is here for the second time");
    }
  }
}

} // namespace culvert::config
