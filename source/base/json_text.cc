// SPDX-License-Identifier: Apache-2.0
#include "source/base/json_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "absl/strings/str_format.h"

namespace culvert::base {
namespace {

bool needsCare(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte >= 0x7f || byte == '"' || byte == '\\';
}

// Length of the UTF-8 sequence at the front, 0 if there is none (RFC 3629, section 4).
size_t sequenceLength(absl::string_view text) {
  const auto at = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto tail = [&](size_t i) { return (at(i) & 0xc0u) == 0x80u; };
  const unsigned lead = at(0);
  if (lead < 0x80)
    return 1;
  if (lead >= 0xc2 && lead <= 0xdf)
    return tail(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const bool overlong = lead == 0xe0 && at(1) < 0xa0;
    const bool surrogate = lead == 0xed && at(1) > 0x9f;
    return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const bool overlong = lead == 0xf0 && at(1) < 0x90;
    const bool too_large = lead == 0xf4 && at(1) > 0x8f;
    return tail(1) && tail(2) && tail(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

bool isUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t length = sequenceLength(text);
    if (length == 0)
      return false;
    text.remove_prefix(length);
  }
  return true;
}

void appendEscaped(char c, std::string& out) {
  switch (c) {
  case '"':
    out += "\\\"";
    return;
  case '\\':
    out += "\\\\";
    return;
  case '\b':
    out += "\\b";
    return;
  case '\f':
    out += "\\f";
    return;
  case '\n':
    out += "\\n";
    return;
  case '\r':
    out += "\\r";
    return;
  case '\t':
    out += "\\t";
    return;
  default:
    if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned>(c));
    } else {
      out.push_back(c);
    }
  }
}

} // namespace

void escapeJson(std::string& out, size_t start) {
  const auto begin = out.begin() + static_cast<std::string::difference_type>(start);
  if (std::none_of(begin, out.end(), needsCare))
    return;
  const std::string raw = out.substr(start);
  const bool readable = isUtf8(raw);
  out.resize(start);
  for (const char c : raw) {
    if (readable) {
      appendEscaped(c, out);
    } else if (needsCare(c)) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
}

void appendJsonString(absl::string_view text, std::string& out) {
  out.push_back('"');
  const size_t start = out.size();
  out.append(text.data(), text.size());
  escapeJson(out, start);
  out.push_back('"');
}

std::string jsonString(absl::string_view text) {
  std::string out;
  appendJsonString(text, out);
  return out;
}

void appendJsonNumber(double number, std::string& out) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), number).ptr;
  out.append(text, static_cast<size_t>(end - text));
}

} // namespace culvert::base
