// SPDX-License-Identifier: Apache-2.0
// The one file that knows yaml-cpp; no exception leaves it.
#include <optional>
#include <sstream>
#include <unordered_map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/yaml.h"

#include "source/config/internal/tree.h"

namespace culvert::config {
namespace {

struct Refused {
  Mark mark;
  std::string text;
  std::string envoy;
};

Mark toMark(const YAML::Mark& mark) {
  if (mark.is_null()) {
    return {};
  }
  return {{mark.line + 1, mark.column + 1}, static_cast<size_t>(mark.pos)};
}

// Envoy's order: bool, then integer, then text. yaml-cpp's own decoding says what is what
// (`on` and `yes` are true, 0x10 and 010 are integers, 0o10 is not).
void decodePlain(Node& node, const std::string& scalar) {
  const YAML::Node value(scalar);
  node.text = scalar;
  if (YAML::convert<bool>::decode(value, node.boolean)) {
    node.kind = Node::Kind::kBool;
    return;
  }
  node.kind = Node::Kind::kString;
  int64_t integer = 0;
  if (YAML::convert<int64_t>::decode(value, integer)) {
    constexpr int64_t kExactMax = int64_t{1} << 53; // Beyond it Envoy passes integers as text.
    node.text = absl::StrCat(integer);
    if (integer <= kExactMax && integer >= -kExactMax) {
      node.kind = Node::Kind::kNumber;
    }
  }
}

class TreeBuilder : public YAML::EventHandler {
public:
  explicit TreeBuilder(Tree& tree) : tree_(tree) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {
    if (bad_key_) {
      throw *bad_key_;
    }
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const size_t before = tree_.nodes.size();
    Node& node = add(mark, anchor);
    node.kind = Node::Kind::kNull;
    place(&node, "null", false);
    show(before);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node* target = anchors_[anchor];
    if (target == nullptr) {
      throw Refused{toMark(mark), "an alias stands before its anchor", ""};
    }
    place(target, target->text, false);
    show(tree_.nodes.size());
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& scalar) override {
    const size_t before = tree_.nodes.size();
    Node& node = add(mark, anchor);
    keepTag(node, tag);
    if (tag == "!") {
      node.kind = Node::Kind::kString;
      node.text = scalar;
    } else {
      decodePlain(node, scalar);
    }
    place(&node, scalar, tag == "!ignore");
    show(before);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::kList);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::kMap);
  }
  void OnMapEnd() override { close(); }

private:
  struct Open {
    Node* node = nullptr;
    size_t nodes_before = 0;
    size_t shown = 0; // Entries of a list that went to Tree::each.
    bool have_key = false;
    bool ignored = false; // A key tagged !ignore: there only for its anchors.
    std::string key;
    Mark key_mark;
  };

  Node& add(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (tree_.nodes.size() >= kNodesMax) {
      throw Refused{toMark(mark), absl::StrCat("more than ", kNodesMax, " values"), ""};
    }
    Node& node = tree_.nodes.emplace_back();
    node.mark = toMark(mark);
    if (anchor != 0) {
      anchors_[anchor] = &node;
    }
    return node;
  }

  static void keepTag(Node& node, const std::string& tag) {
    if (tag.size() > 1 && tag.front() == '!') {
      node.tag = tag;
    }
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            Node::Kind kind) {
    const size_t before = tree_.nodes.size();
    Node& node = add(mark, anchor);
    node.kind = kind;
    keepTag(node, tag);
    place(&node, "", false);
    open_.emplace_back().node = &node;
    open_.back().nodes_before = before;
  }

  void close() {
    const size_t before = open_.back().nodes_before;
    open_.pop_back();
    show(before);
  }

  // What was completed last, if it is an entry of a list in the root; not of one that is a key.
  void show(size_t nodes_before) {
    if (!tree_.each || open_.size() != 2 || open_.back().node->kind != Node::Kind::kList ||
        open_.back().node->entries.empty()) {
      return;
    }
    Open& list = open_.back();
    const Open& root = open_.front();
    if (root.node->kind != Node::Kind::kMap || root.have_key || root.ignored) {
      return;
    }
    tree_.each(root.node->entries.back().key, list.shown++, *list.node->entries.back().value);
    list.node->entries.pop_back();
    if (anchors_.empty()) {
      tree_.nodes.resize(nodes_before);
    }
  }

  // A finished scalar or a just opened container goes where the parser stands.
  void place(Node* node, const std::string& as_key, bool ignored) {
    if (open_.empty()) {
      tree_.root = node;
      return;
    }
    Open& parent = open_.back();
    if (parent.node->kind == Node::Kind::kList) {
      parent.node->entries.push_back({"", node->mark, node});
    } else if (!parent.have_key) {
      rememberBadKey(*node);
      parent.have_key = true;
      parent.ignored = ignored;
      parent.key = as_key;
      parent.key_mark = node->mark;
    } else {
      parent.have_key = false;
      if (!parent.ignored) {
        parent.node->entries.push_back({std::move(parent.key), parent.key_mark, node});
      }
    }
  }

  // yaml-cpp itself lets them pass, so that mistakes of the syntax come first.
  void rememberBadKey(const Node& node) {
    if (!bad_key_ && (node.kind == Node::Kind::kList || node.kind == Node::Kind::kMap)) {
      const Position at = node.mark.position;
      bad_key_ = Refused{node.mark, "a list or map can't be the name of a field",
                         absl::StrCat("yaml-cpp: error at line ", at.line, ", column ", at.column,
                                      ": bad conversion")};
    }
  }

  std::optional<Refused> bad_key_;
  Tree& tree_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, Node*> anchors_;
};

// Sees whether a text has anything after its first document.
class SecondDocument : public YAML::EventHandler {
public:
  void OnDocumentStart(const YAML::Mark& mark) override { start_ = toMark(mark); }
  void OnDocumentEnd() override {}
  // A marker at the end begins a document of nothing, which does no harm. A second one is what
  // yaml-cpp makes, again and again, of something like a comma that it can't get past.
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {
    if (empty_++ > 0) {
      refuse();
    }
  }
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override { refuse(); }
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {
    refuse();
  }
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    refuse();
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    refuse();
  }
  void OnMapEnd() override {}

private:
  void refuse() const {
    throw Refused{start_,
                  "a second YAML document starts here. One file holds one document: Envoy reads "
                  "the first and forgets the rest without a word",
                  ""};
  }
  Mark start_;
  int empty_ = 0;
};

void parse(absl::string_view text, Tree& tree) {
  std::istringstream stream{std::string(text)};
  YAML::Parser parser(stream);
  TreeBuilder builder(tree);
  if (parser.HandleNextDocument(builder)) {
    SecondDocument second;
    while (parser.HandleNextDocument(second)) {
    }
  }
}

// The sentence of the yaml-cpp that Envoy has; an older one leaves out which anchor it misses.
std::string sentence(const YAML::Exception& error, absl::string_view text) {
  const bool nameless = absl::EndsWith(error.msg, "anchor is not defined");
  const size_t at = toMark(error.mark).offset_bytes;
  if (!nameless || at >= text.size() || text[at] != '*') {
    return error.what();
  }
  const absl::string_view name = text.substr(at + 1);
  return absl::StrCat(error.what(), ": ", name.substr(0, name.find_first_of(" \t\r\n,]}")));
}

} // namespace

std::optional<SyntaxError> parseYaml(absl::string_view text, Tree& tree) {
  try {
    parse(text, tree);
  } catch (const Refused& refused) {
    return SyntaxError{refused.mark, refused.text, refused.envoy};
  } catch (const YAML::Exception& error) {
    return SyntaxError{toMark(error.mark), "this is not YAML", sentence(error, text)};
  } catch (const std::exception& error) { // Of the standard library, under yaml-cpp.
    return SyntaxError{{}, absl::StrCat("this can't be read as YAML: ", error.what()), ""};
  }
  if (tree.root == nullptr) {
    tree.root = &tree.nodes.emplace_back();
  }
  return std::nullopt;
}

} // namespace culvert::config
