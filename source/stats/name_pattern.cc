// SPDX-License-Identifier: Apache-2.0
#include "source/stats/name_pattern.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace culvert::stats {
namespace {

constexpr size_t kNone = absl::string_view::npos;

class Matcher {
public:
  explicit Matcher(absl::string_view name) : name_(name) {}

  // Whether what begins at `at` is as the pattern says. Past the last token, `at` is one behind the
  // end of the name, as if a dot stood there.
  bool matches(absl::string_view pattern, size_t at) {
    if (pattern.empty()) {
      return at > name_.size();
    }
    if (at > name_.size()) {
      return false;
    }
    const size_t dot = pattern.find('.');
    absl::string_view token = pattern.substr(0, dot);
    const absl::string_view rest = dot == kNone ? absl::string_view() : pattern.substr(dot + 1);
    if (absl::ConsumePrefix(&token, "<")) {
      span_.cut_begin = at;
      cut_is_set_ = true;
    }
    if (token == "**") {
      return matchesSome(rest, at);
    }
    if (token == "*") {
      return matches(rest, tokenEnd(at) + 1);
    }
    if (absl::EndsWith(token, "@")) {
      const size_t address = addressEnd(at);
      return (address != kNone && matchesSpan(token, rest, at, address)) ||
             matchesSpan(token, rest, at, tokenEnd(at));
    }
    const size_t end = tokenEnd(at);
    return matchesSpan(token, rest, at, token == "$2" ? tokenEnd(end + 1) : end);
  }

  const TagSpan& span() const { return span_; }

private:
  size_t tokenEnd(size_t at) const {
    const size_t dot = at > name_.size() ? kNone : name_.find('.', at);
    return dot == kNone ? name_.size() : dot;
  }

  bool matchesSome(absl::string_view rest, size_t at) {
    if (rest.empty()) {
      return true;
    }
    while (at <= name_.size()) {
      at = tokenEnd(at) + 1;
      if (matches(rest, at)) {
        return true;
      }
    }
    return false;
  }

  // The pattern's token against [at, end) of the name.
  bool matchesSpan(absl::string_view token, absl::string_view rest, size_t at, size_t end) {
    const size_t mark = token.find('$');
    const absl::string_view text = name_.substr(at, end - at);
    if (mark == kNone) {
      return (token == "@" || token == text) && matches(rest, end + 1);
    }
    if (!absl::StartsWith(text, token.substr(0, mark)) || text.size() == mark) {
      return false;
    }
    span_.value_begin = at + mark;
    span_.value_end = end;
    if (!cut_is_set_) {
      span_.cut_begin = span_.value_begin;
    }
    span_.cut_end = end + 1;
    if (end == name_.size()) {
      span_.cut_end = end;
      span_.cut_begin -= span_.cut_begin > 0 ? 1 : 0;
    }
    return matches(rest, end + 1);
  }

  // The end of "1.2.3.4_80" at `at`, if a token ends there too.
  size_t addressEnd(size_t at) const {
    for (int part = 0; part < 4; ++part) {
      const size_t digits = digitsAt(at);
      const char expected = part < 3 ? '.' : '_';
      at += digits;
      if (digits == 0 || digits > 3 || at >= name_.size() || name_[at] != expected) {
        return kNone;
      }
      ++at;
    }
    const size_t port = digitsAt(at);
    at += port;
    return port > 0 && (at == name_.size() || name_[at] == '.') ? at : kNone;
  }

  size_t digitsAt(size_t at) const {
    size_t end = at;
    while (end < name_.size() && absl::ascii_isdigit(static_cast<unsigned char>(name_[end]))) {
      ++end;
    }
    return end - at;
  }

  const absl::string_view name_;
  TagSpan span_;
  bool cut_is_set_ = false;
};

} // namespace

std::optional<TagSpan> findTag(absl::string_view pattern, absl::string_view name) {
  Matcher matcher(name);
  return matcher.matches(pattern, 0) ? std::optional(matcher.span()) : std::nullopt;
}

} // namespace culvert::stats
