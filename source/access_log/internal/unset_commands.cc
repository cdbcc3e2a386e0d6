// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <initializer_list>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "source/access_log/internal/header_names.h"
#include "source/access_log/internal/operator.h"

namespace culvert::access_log::internal {
namespace {

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
    {"TRAILER", kHeader, printNothing, parseHeaderNames},
    {"RESPONSE_TRAILER", kHeader, printNothing, parseHeaderNames},
    {"STREAM_INFO_REQ", kHeader, printNothing, parseHeaderNames},
    {"QUERY_PARAM", kHeader, printNothing},
    {"QUERY_PARAMS", kOptional, printNothing, checkQueryParams},
    {"PATH", kOptional, printNothing, checkPath},
    {"GRPC_STATUS", kMayHaveArgument, printNothing, checkGrpcStatus},
    {"GRPC_STATUS_NUMBER", kBare, printNothing},
    {"CEL", kOptional, printNothing, refuseCel},
    {"TRACE_ID", kBare, printNothing},
    {"SPAN_ID", kBare, printNothing},
    {"UPSTREAM_PROTOCOL", kBare, printNothing},
    {"REQUEST_DURATION", kBare, printNothing},
    {"REQUEST_TX_DURATION", kBare, printNothing},
    {"RESPONSE_DURATION", kBare, printNothing},
    {"RESPONSE_TX_DURATION", kBare, printNothing},
    {"ROUNDTRIP_DURATION", kBare, printNothing},
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
