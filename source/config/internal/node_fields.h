// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "source/config/internal/tree.h"
#include "source/config/problems.h"

namespace culvert::config {

// A value of a text, with the path at which it stands. What is asked of it and not so is reported.
class NodeValue {
public:
  NodeValue(const Node& node, std::string path, Problems& problems)
      : node_(node), path_(std::move(path)), problems_(problems) {}

  const Node& node() const { return node_; }
  const std::string& path() const { return path_; }
  void error(absl::string_view text) const { problems_.errorAt(node_.mark.position, path_, text); }

  std::string text() const;
  bool boolean() const;
  // Quoted or not, as the names of fields are.
  template <class T> T number() const {
    return static_cast<T>(integer(node_.text, std::numeric_limits<T>::max()));
  }
  template <class T> T numberOf(absl::string_view spelled) const {
    return static_cast<T>(integer(spelled, std::numeric_limits<T>::max()));
  }
  // One of these names; of anything else the first one's value.
  template <class E> E oneOf(std::initializer_list<std::pair<absl::string_view, E>> values) const {
    std::vector<std::string> names;
    for (const auto& [name, value] : values) {
      if (isScalar() && node_.text == name) {
        return value;
      }
      names.emplace_back(name);
    }
    unknownName(names);
    return values.begin()->second;
  }

  template <class F> void forEachEntry(F visit) const {
    if (expect(Node::Kind::kList, "a list")) {
      for (size_t i = 0; i < node_.entries.size(); i++) {
        visit(NodeValue(*node_.entries[i].value, path_ + "[" + std::to_string(i) + "]", problems_));
      }
    }
  }
  template <class F> void forEachKey(F visit) const {
    if (expect(Node::Kind::kMap, "a map")) {
      for (const Node::Entry& entry : node_.entries) {
        visit(entry.key, NodeValue(*entry.value, path_ + "[" + entry.key + "]", problems_));
      }
    }
  }

  Problems& problems() const { return problems_; }

protected:
  bool expect(Node::Kind kind, absl::string_view what) const;
  bool isScalar() const;

private:
  uint64_t integer(absl::string_view spelled, uint64_t max) const;
  void unknownName(const std::vector<std::string>& names) const;

  const Node& node_;
  std::string path_;
  Problems& problems_;
};

// A map whose fields are known by name: each is asked for once, and finish() reports those that
// nobody asked for and those that are there twice.
class NodeFields : public NodeValue {
public:
  explicit NodeFields(const NodeValue& value);

  // Null counts as absent.
  std::optional<NodeValue> find(absl::string_view name);
  std::optional<NodeValue> require(absl::string_view name);
  std::string text(absl::string_view name);
  void finish();

private:
  std::string pathOf(absl::string_view name) const;

  std::vector<std::string> known_;
  bool is_map_;
};

} // namespace culvert::config
