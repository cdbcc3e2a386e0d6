// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <initializer_list>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "source/access_log/internal/operator.h"

namespace culvert::access_log::internal {
namespace {

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

// NAME or NAME?OTHER
absl::Status checkHeader(absl::string_view argument, Operator&) {
  const std::vector<std::string> names = absl::StrSplit(argument, '?');
  if (names.size() > 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("More than 1 alternative header specified in token: ", argument));
  }
  if (!std::all_of(names.begin(), names.end(), isHeaderName)) {
    return absl::InvalidArgumentError(
        "Invalid header configuration. Format string contains invalid characters.");
  }
  return absl::OkStatus();
}

bool isOneOf(absl::string_view word, std::initializer_list<absl::string_view> words) {
  return word.empty() || std::find(words.begin(), words.end(), word) != words.end();
}

absl::Status checkGrpcStatus(absl::string_view argument, Operator&) {
  if (isOneOf(argument, {"CAMEL_STRING", "SNAKE_STRING", "NUMBER"}))
    return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "GrpcStatusFormatter only supports CAMEL_STRING, SNAKE_STRING or NUMBER. Got: ", argument));
}

absl::Status checkPath(absl::string_view argument, Operator&) {
  const std::vector<std::string> words = absl::StrSplit(argument, ':');
  if (!isOneOf(words[0], {"WQ", "NQ"})) {
    return absl::InvalidArgumentError(
        absl::StrCat("Invalid PATH option: '", words[0], "', only 'WQ'/'NQ' are allowed"));
  }
  if (words.size() > 1 && !isOneOf(words[1], {"ORIG", "PATH", "ORIG_OR_PATH"})) {
    return absl::InvalidArgumentError(absl::StrCat(
        "Invalid PATH option: '", words[1], "', only 'ORIG'/'PATH'/'ORIG_OR_PATH' are allowed"));
  }
  return absl::OkStatus();
}

absl::Status checkQueryParams(absl::string_view argument, Operator&) {
  if (isOneOf(argument, {"ORIG", "DECODED"}))
    return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("Invalid QUERY_PARAMS option: '", argument,
                                                 "', only 'ORIG'/'DECODED' are allowed"));
}

absl::Status refuseCel(absl::string_view, Operator&) {
  return absl::InvalidArgumentError("CEL: expressions are not supported");
}

constexpr uint8_t kHeader = kNeedsArgument | kMayHaveLength;
constexpr uint8_t kOptional = kMayHaveArgument | kMayHaveLength;

constexpr Command kCommands[] = {
    {"REQ", kHeader, printNothing, checkHeader},
    {"RESP", kHeader, printNothing, checkHeader},
    {"TRAILER", kHeader, printNothing, checkHeader},
    {"REQUEST_HEADER", kHeader, printNothing, checkHeader},
    {"RESPONSE_HEADER", kHeader, printNothing, checkHeader},
    {"RESPONSE_TRAILER", kHeader, printNothing, checkHeader},
    {"STREAM_INFO_REQ", kHeader, printNothing, checkHeader},
    {"QUERY_PARAM", kHeader, printNothing},
    {"QUERY_PARAMS", kOptional, printNothing, checkQueryParams},
    {"PATH", kOptional, printNothing, checkPath},
    {"GRPC_STATUS", kMayHaveArgument, printNothing, checkGrpcStatus},
    {"GRPC_STATUS_NUMBER", kBare, printNothing},
    {"CEL", kOptional, printNothing, refuseCel},
    {"TRACE_ID", kBare, printNothing},
    {"SPAN_ID", kBare, printNothing},
    {"PROTOCOL", kBare, printNothing},
    {"UPSTREAM_PROTOCOL", kBare, printNothing},
    {"REQUEST_DURATION", kBare, printNothing},
    {"REQUEST_TX_DURATION", kBare, printNothing},
    {"RESPONSE_DURATION", kBare, printNothing},
    {"RESPONSE_TX_DURATION", kBare, printNothing},
    {"ROUNDTRIP_DURATION", kBare, printNothing},
    {"ROUTE_NAME", kBare, printNothing},
    {"ROUTE_RESOLUTION_TIME_US", kBare, printNothing},
    {"VIRTUAL_CLUSTER_NAME", kBare, printNothing},

    // Of TLS.
    {"DOWNSTREAM_HANDSHAKE_DURATION", kBare, printNothing},
    {"TLS_JA3_FINGERPRINT", kBare, printNothing},
    {"TLS_JA4_FINGERPRINT", kBare, printNothing},
};

} // namespace

Found printNothing(const Operator&, const Entry&, std::string&) { return Found::kNothing; }

absl::Span<const Command> unsetCommands() { return kCommands; }

} // namespace culvert::access_log::internal
