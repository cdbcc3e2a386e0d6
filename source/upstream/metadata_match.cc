// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/metadata_match.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace culvert::upstream {
namespace {

using net::Value;

void append(const Value& value, std::string& out);

// Lengths stand before texts, so that no text can look like something else.
void append(absl::string_view text, std::string& out) {
  absl::StrAppend(&out, text.size(), ":", text);
}

void append(const Value::Fields& fields, std::string& out) {
  absl::StrAppend(&out, fields.size(), "{");
  for (const auto& [key, value] : fields) {
    append(key, out);
    append(value, out);
  }
}

struct Appender {
  std::string& out;

  void operator()(std::monostate) const { out += 'n'; }
  void operator()(bool value) const { out += value ? 't' : 'f'; }
  void operator()(double value) const { absl::StrAppendFormat(&out, "%.17g;", value); }
  void operator()(const std::string& value) const {
    out += 's';
    append(value, out);
  }
  void operator()(const Value::List& values) const {
    absl::StrAppend(&out, values.size(), "[");
    for (const Value& value : values) {
      append(value, out);
    }
  }
  void operator()(const Value::Fields& fields) const { append(fields, out); }
};

void append(const Value& value, std::string& out) { std::visit(Appender{out}, value.kind); }

std::set<std::string> keysOf(const Value::Fields& fields) {
  std::set<std::string> keys;
  for (const auto& [key, value] : fields) {
    keys.insert(key);
  }
  return keys;
}

} // namespace

std::string subsetName(const Value::Fields& fields) {
  std::string name;
  append(fields, name);
  return name;
}

std::string keysName(const std::set<std::string>& keys) {
  std::string name;
  for (const std::string& key : keys) {
    append(key, name);
  }
  return name;
}

MetadataMatch::MetadataMatch(Value::Fields fields)
    : fields_(std::move(fields)), subset_(subsetName(fields_)), keys_(keysName(keysOf(fields_))) {}

MetadataMatch MetadataMatch::with(const Value::Fields& more) const {
  Value::Fields fields = more;
  fields.insert(fields_.begin(), fields_.end());
  return MetadataMatch(std::move(fields));
}

MetadataMatch MetadataMatch::only(const std::set<std::string>& keys) const {
  Value::Fields fields;
  for (const std::string& key : keys) {
    if (const auto it = fields_.find(key); it != fields_.end()) {
      fields.insert(*it);
    }
  }
  return MetadataMatch(std::move(fields));
}

} // namespace culvert::upstream
