// SPDX-License-Identifier: Apache-2.0
// What is known of the HTTP request that a tunnel began with; of other connections nothing is.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "source/access_log/internal/header_names.h"
#include "source/access_log/internal/operator.h"
#include "source/net/connection_info.h"

namespace culvert::access_log::internal {
namespace {

using net::RequestInfo;

// Characters of a header's name (RFC 9110, section 5.6.2), with the colon of pseudo-headers.
bool isHeaderName(absl::string_view name) {
  if (!name.empty() && name[0] == ':')
    name.remove_prefix(1);
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) ||
           absl::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) !=
               absl::string_view::npos;
  });
}

} // namespace

absl::Status parseHeaderNames(absl::string_view argument, Operator& op) {
  std::vector<std::string> names = absl::StrSplit(argument, '?');
  if (names.size() > 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("More than 1 alternative header specified in token: ", argument));
  }
  if (!std::all_of(names.begin(), names.end(), isHeaderName)) {
    return absl::InvalidArgumentError(
        "Invalid header configuration. Format string contains invalid characters.");
  }
  op.path = std::move(names);
  return absl::OkStatus();
}

namespace {

template <auto kFields>
Found printHeader(const Operator& op, const Entry& entry, std::string& out) {
  const RequestInfo* const request = entry.info.request.get();
  if (request == nullptr) {
    return Found::kNothing;
  }
  for (const std::string& name : op.path) {
    if (const std::string* const value = RequestInfo::find(request->*kFields, name)) {
      out += *value;
      return Found::kText;
    }
  }
  return Found::kNothing;
}

Found printProtocol(const Operator&, const Entry& entry, std::string& out) {
  if (entry.info.request == nullptr) {
    return Found::kNothing;
  }
  absl::StrAppend(&out, entry.info.request->protocol);
  return Found::kText;
}

Found printRoute(const Operator&, const Entry& entry, std::string& out) {
  if (entry.info.request == nullptr || entry.info.request->route_name.empty()) {
    return Found::kNothing;
  }
  out += entry.info.request->route_name;
  return Found::kText;
}

Found printCode(const Operator&, const Entry& entry, std::string& out) {
  absl::StrAppend(&out, entry.info.request == nullptr ? 0 : entry.info.request->response_code);
  return Found::kNumber;
}

constexpr uint8_t kHeader = kNeedsArgument | kMayHaveLength;

constexpr Command kCommands[] = {
    {"REQ", kHeader, printHeader<&RequestInfo::headers>, parseHeaderNames},
    {"REQUEST_HEADER", kHeader, printHeader<&RequestInfo::headers>, parseHeaderNames},
    {"RESP", kHeader, printHeader<&RequestInfo::response_headers>, parseHeaderNames},
    {"RESPONSE_HEADER", kHeader, printHeader<&RequestInfo::response_headers>, parseHeaderNames},
    {"RESPONSE_CODE", kBare, printCode},
    {"PROTOCOL", kBare, printProtocol},
    {"ROUTE_NAME", kBare, printRoute},
};

} // namespace

absl::Span<const Command> requestCommands() { return kCommands; }

} // namespace culvert::access_log::internal
