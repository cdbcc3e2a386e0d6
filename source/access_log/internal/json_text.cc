// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/internal/json_text.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "source/base/json_text.h"
#include "source/net/metadata.h"

namespace culvert::access_log::internal {
namespace {

void appendFields(const net::Value::Fields& fields, std::string& out) {
  out.push_back('{');
  for (const auto& [key, value] : fields) {
    if (&key != &fields.begin()->first)
      out.push_back(',');
    base::appendJsonString(key, out);
    out.push_back(':');
    appendJsonValue(value, out);
  }
  out.push_back('}');
}

void appendList(const net::Value::List& list, std::string& out) {
  out.push_back('[');
  for (const net::Value& value : list) {
    if (&value != list.data())
      out.push_back(',');
    appendJsonValue(value, out);
  }
  out.push_back(']');
}

} // namespace

void appendJsonValue(const net::Value& value, std::string& out) {
  struct Visitor {
    std::string& out;
    void operator()(std::monostate) { out += "null"; }
    void operator()(bool b) { out += b ? "true" : "false"; }
    void operator()(double number) { base::appendJsonNumber(number, out); }
    void operator()(const std::string& text) { base::appendJsonString(text, out); }
    void operator()(const net::Value::List& list) { appendList(list, out); }
    void operator()(const net::Value::Fields& fields) { appendFields(fields, out); }
  };
  std::visit(Visitor{out}, value.kind);
}

void escapeControls(std::string& out, size_t start) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  const auto begin = out.begin() + static_cast<std::string::difference_type>(start);
  if (std::none_of(begin, out.end(), control))
    return;
  const std::string raw = out.substr(start);
  out.resize(start);
  for (const char c : raw) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (control(c)) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
}

} // namespace culvert::access_log::internal
