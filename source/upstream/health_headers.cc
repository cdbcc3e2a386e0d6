// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/health_headers.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "source/upstream/endpoint_proto.h"

namespace culvert::upstream {
namespace {

using envoy::config::core::v3::HeaderValueOption;
using Headers = std::vector<std::pair<std::string, std::string>>;

bool isFixed(absl::string_view name) {
  return absl::StartsWith(name, ":") || absl::EqualsIgnoreCase(name, "host");
}

Headers::iterator find(Headers& headers, absl::string_view name) {
  return std::find_if(headers.begin(), headers.end(),
                      [&](const auto& header) { return header.first == name; });
}

absl::StatusOr<std::string> valueOf(const envoy::config::core::v3::HeaderValue& header) {
  const std::string& text = header.value().empty() ? header.raw_value() : header.value();
  const std::string without = absl::StrReplaceAll(text, {{"%%", ""}});
  if (absl::StrContains(without, '%')) {
    return errorAt("header.value", "not supported by Culvert yet: commands in health checks");
  }
  return absl::StrReplaceAll(text, {{"%%", "%"}});
}

HeaderValueOption::HeaderAppendAction actionOf(const HeaderValueOption& option) {
  if (!option.has_append()) { // The deprecated one.
    return option.append_action();
  }
  return option.append().value() ? HeaderValueOption::APPEND_IF_EXISTS_OR_ADD
                                 : HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD;
}

void overwrite(Headers& headers, const std::string& name, const std::string& value) {
  if (const auto it = find(headers, name); it != headers.end()) {
    it->second = value;
  } else {
    headers.emplace_back(name, value);
  }
}

// A second user-agent is put behind the first one; of others there may be several.
void append(Headers& headers, const std::string& name, const std::string& value) {
  const auto it = find(headers, name);
  if (it != headers.end() && name == "user-agent") {
    absl::StrAppend(&it->second, ",", value);
  } else {
    headers.emplace_back(name, value);
  }
}

} // namespace

absl::Status addHeaders(const HeaderOptions& options, absl::string_view field, Headers& headers) {
  Headers before = headers;
  Headers added;
  for (int i = 0; i < options.size(); ++i) {
    const HeaderValueOption& option = options.Get(i);
    const std::string path = absl::StrCat(field, "[", i, "]");
    const std::string name = absl::AsciiStrToLower(option.header().key());
    if (isFixed(name)) {
      return errorAt(absl::StrCat(path, ".header.key"),
                     ":-prefixed or host headers may not be modified");
    }
    const absl::StatusOr<std::string> value = valueOf(option.header());
    if (!value.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ".", value.status().message()));
    }
    if (value->empty() && !option.keep_empty_value()) {
      continue;
    }
    const bool exists = find(before, name) != before.end();
    switch (actionOf(option)) {
    case HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD:
      overwrite(headers, name, *value);
      break;
    case HeaderValueOption::OVERWRITE_IF_EXISTS:
      if (exists) {
        overwrite(headers, name, *value);
      }
      break;
    case HeaderValueOption::ADD_IF_ABSENT:
      if (!exists) {
        added.emplace_back(name, *value);
      }
      break;
    default:
      added.emplace_back(name, *value);
    }
  }
  for (const auto& [name, value] : added) {
    append(headers, name, value);
  }
  return absl::OkStatus();
}

absl::Status removeHeaders(const google::protobuf::RepeatedPtrField<std::string>& names,
                           absl::string_view field, Headers& headers) {
  for (int i = 0; i < names.size(); ++i) {
    const std::string name = absl::AsciiStrToLower(names.Get(i));
    if (isFixed(name)) {
      return errorAt(absl::StrCat(field, "[", i, "]"),
                     ":-prefixed or host headers may not be removed");
    }
    std::erase_if(headers, [&](const auto& header) { return header.first == name; });
  }
  return absl::OkStatus();
}

} // namespace culvert::upstream
