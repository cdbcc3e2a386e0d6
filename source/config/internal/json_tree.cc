// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "source/config/internal/tree.h"

namespace culvert::config {
namespace {

constexpr uint32_t kSurrogateHigh = 0xd800, kSurrogateLow = 0xdc00, kSurrogateEnd = 0xe000;

void appendUtf8(uint32_t code, std::string& out) {
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
    return;
  }
  const int tail = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  const uint32_t lead = tail == 1 ? 0xc0 : tail == 2 ? 0xe0 : 0xf0;
  out.push_back(static_cast<char>(lead | (code >> (6 * tail))));
  for (int i = tail - 1; i >= 0; i--) {
    out.push_back(static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3f)));
  }
}

// Recursive descent; a false return means that error_ is set.
class JsonParser {
public:
  JsonParser(absl::string_view text, Tree& tree) : text_(text), tree_(tree) {}

  std::optional<SyntaxError> parse() {
    Node* root = nullptr;
    if (value(root, 1)) {
      tree_.root = root;
      blanks();
      if (at_ < text_.size()) {
        fail("there is more after the end of the JSON object",
             "extraneous characters after end of JSON object");
        error_->placed = false;
      }
    }
    return error_;
  }

private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool ended() const { return at_ >= text_.size(); }
  Mark mark() const { return {{line_, static_cast<int>(at_ - line_start_) + 1}, at_}; }
  void step() {
    if (text_[at_++] == '\n') {
      line_++;
      line_start_ = at_;
    }
  }
  void blanks() {
    while (!ended() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) {
      step();
    }
  }
  bool fail(absl::string_view ours, absl::string_view envoy) {
    if (!error_) {
      error_ = SyntaxError{mark(), std::string(ours), std::string(envoy)};
    }
    return false;
  }
  bool unexpected(absl::string_view expected) {
    if (ended()) {
      fail("the file ends too early", "unexpected EOF");
      error_->placed = false;
      return false;
    }
    return fail(absl::StrCat("this is not JSON: '", expected, "' should stand here"),
                absl::StrCat("unexpected character: '", text_.substr(at_, 1), "'; expected '",
                             expected, "'"));
  }

  bool value(Node*& node, int depth) {
    blanks();
    if (depth > kDepthMax) {
      return fail("nested too deeply", "JSON content was too deeply nested");
    }
    if (tree_.nodes.size() >= kNodesMax) {
      return fail(absl::StrCat("more than ", kNodesMax, " values"), "");
    }
    node = &tree_.nodes.emplace_back();
    node->mark = mark();
    switch (peek()) {
    case '{':
      node->kind = Node::Kind::kMap;
      return entries(*node, '}', depth);
    case '[':
      node->kind = Node::Kind::kList;
      return entries(*node, ']', depth);
    case '"':
    case '\'':
      node->kind = Node::Kind::kString;
      return string(node->text);
    default:
      return word(*node);
    }
  }

  bool entries(Node& node, char close, int depth) {
    step();
    for (blanks(); peek() != close; blanks()) {
      Node::Entry entry{"", mark(), nullptr};
      if (close == '}' && !key(entry.key)) {
        return false;
      }
      if (depth == 1) {
        root_key_ = entry.key;
        shown_ = 0;
      }
      const size_t before = tree_.nodes.size();
      Node* child = nullptr;
      if (!value(child, depth + 1)) {
        return false;
      }
      if (depth == 2 && close == ']' && tree_.each &&
          tree_.nodes.front().kind == Node::Kind::kMap) {
        tree_.each(root_key_, shown_++, *child);
        tree_.nodes.resize(before);
      } else {
        entry.value = child;
        node.entries.push_back(std::move(entry));
      }
      blanks();
      if (peek() == ',') {
        step();
      } else if (peek() != close) {
        return unexpected(",");
      }
    }
    step();
    return true;
  }

  bool key(std::string& out) {
    if (peek() == '"' || peek() == '\'') {
      if (!string(out)) {
        return false;
      }
    } else {
      while (!ended() && (absl::ascii_isalnum(peek()) || peek() == '_')) {
        out.push_back(peek());
        step();
      }
      if (out.empty()) {
        return unexpected("\"");
      }
    }
    blanks();
    if (peek() != ':') {
      return unexpected(":");
    }
    step();
    return true;
  }

  bool string(std::string& out) {
    const char quote = peek();
    step();
    while (!ended() && peek() != quote) {
      if (static_cast<unsigned char>(peek()) < 0x20) {
        return fail("a line ends inside of a string", "invalid control character in string");
      }
      if (peek() != '\\') {
        out.push_back(peek());
        step();
      } else if (!escape(out)) {
        return false;
      }
    }
    if (ended()) {
      return unexpected("\"");
    }
    step();
    return true;
  }

  bool escape(std::string& out) {
    step();
    constexpr absl::string_view kNames = "\"\\/bfnrt'", kMeant = "\"\\/\b\f\n\r\t'";
    const size_t index = ended() ? absl::string_view::npos : kNames.find(peek());
    if (index != absl::string_view::npos) {
      out.push_back(kMeant[index]);
      step();
      return true;
    }
    uint32_t code = 0;
    if (!hexCode(code)) {
      return false;
    }
    if (code >= kSurrogateHigh && code < kSurrogateEnd) {
      uint32_t low = 0;
      if (code >= kSurrogateLow || peek() != '\\') {
        return unexpected("\\u");
      }
      step();
      if (!hexCode(low) || low < kSurrogateLow || low >= kSurrogateEnd) {
        return unexpected("\\u");
      }
      code = 0x10000 + ((code - kSurrogateHigh) << 10) + (low - kSurrogateLow);
    }
    appendUtf8(code, out);
    return true;
  }

  bool hexCode(uint32_t& code) {
    const absl::string_view rest = text_.substr(at_, 5);
    if (rest.size() < 5 || rest[0] != 'u' || !absl::SimpleHexAtoi(rest.substr(1), &code)) {
      return fail("no such escape in JSON", "invalid escape sequence");
    }
    at_ += 5;
    return true;
  }

  // null, true, false or a number.
  bool word(Node& node) {
    const size_t start = at_;
    while (!ended() && (absl::ascii_isalnum(peek()) || absl::StrContains("+-.", peek()))) {
      at_++;
    }
    const absl::string_view word = text_.substr(start, at_ - start);
    if (word == "null") {
      return true;
    }
    if (word == "true" || word == "false") {
      node.kind = Node::Kind::kBool;
      node.boolean = word == "true";
      return true;
    }
    double number = 0;
    const bool digits = !word.empty() && (word[0] == '-' || absl::ascii_isdigit(word[0]));
    if (digits && absl::SimpleAtod(word, &number)) {
      node.kind = Node::Kind::kNumber;
      node.text = std::string(word);
      return true;
    }
    at_ = start;
    return unexpected("{");
  }

  absl::string_view text_;
  Tree& tree_;
  std::string root_key_; // Which entry of the root is being read,
  size_t shown_ = 0;     // and how many of its entries Tree::each was shown.
  size_t at_ = 0;
  size_t line_start_ = 0;
  int line_ = 1;
  std::optional<SyntaxError> error_;
};

} // namespace

std::optional<SyntaxError> parseJson(absl::string_view text, Tree& tree) {
  if (absl::StartsWith(text, "\xef\xbb\xbf")) {
    text.remove_prefix(3);
  }
  return JsonParser(text, tree).parse();
}

bool isUtf8(absl::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const unsigned char lead = text[i];
    const size_t length = lead < 0x80   ? 1
                          : lead < 0xc2 ? 0
                          : lead < 0xe0 ? 2
                          : lead < 0xf0 ? 3
                          : lead < 0xf5 ? 4
                                        : 0;
    if (length == 0 || i + length > text.size()) {
      return false;
    }
    for (size_t j = 1; j < length; j++) {
      if ((static_cast<unsigned char>(text[i + j]) & 0xc0) != 0x80) {
        return false;
      }
    }
    const unsigned char next = length > 1 ? text[i + 1] : 0;
    if ((lead == 0xe0 && next < 0xa0) || (lead == 0xed && next > 0x9f) ||
        (lead == 0xf0 && next < 0x90) || (lead == 0xf4 && next > 0x8f)) {
      return false;
    }
    i += length;
  }
  return true;
}

} // namespace culvert::config
