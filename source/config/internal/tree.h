// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "source/config/problems.h"

namespace culvert::config {

// A place in a text, with its distance from the start as Envoy prints it.
struct Mark {
  Position position;
  size_t offset_bytes = 0;
};

/**
 * One value of a YAML or JSON text. Values of a tree may be shared (YAML aliases), and a YAML
 * alias can even contain itself: whoever walks a tree must bound depth and number of steps.
 */
struct Node {
  enum class Kind { kNull, kBool, kNumber, kString, kList, kMap };
  struct Entry {
    std::string key; // Empty in a list.
    Mark key_mark;
    const Node* value;
  };

  Kind kind = Kind::kNull;
  bool boolean = false;
  std::string text; // kString; the digits of kNumber; how YAML spells a kBool.
  std::string tag;  // YAML's, as in "!Exact x"; "" if there is none, or only "!" or "?".
  std::vector<Entry> entries;
  Mark mark;
};

// Owns its nodes.
struct Tree {
  std::deque<Node> nodes;
  const Node* root = nullptr;
  // If set, is shown each entry of each list that stands in the root, once it is complete. The list
  // then stays empty, and what the entry took is forgotten, unless anchors may still lead to it: so
  // a text of any length is read in little memory.
  std::function<void(const std::string& list, size_t index, const Node& entry)> each;
};

// Why a text is not YAML or JSON.
struct SyntaxError {
  Mark mark;
  std::string text;   // Ours.
  std::string envoy;  // Envoy's sentence, or that of its parser.
  bool placed = true; // Envoy's JSON parser says where it stands.
};

// More values than this in one text are refused.
constexpr size_t kNodesMax = 1'000'000;
// As in Envoy, the root counts.
constexpr int kDepthMax = 100;

// Scalars become null, bool, number or string as Envoy decides: quoted ones are strings,
// integers are numbers, fractions stay text.
std::optional<SyntaxError> parseYaml(absl::string_view text, Tree& tree);

// JSON as Envoy's parser reads it: trailing commas, single quotes and bare keys pass.
std::optional<SyntaxError> parseJson(absl::string_view text, Tree& tree);

// Protobuf strings must be UTF-8.
bool isUtf8(absl::string_view text);

} // namespace culvert::config
