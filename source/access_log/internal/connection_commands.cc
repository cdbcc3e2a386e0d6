// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "source/access_log/internal/address_print.h"
#include "source/access_log/internal/identity.h"
#include "source/access_log/internal/names.h"
#include "source/access_log/internal/operator.h"
#include "source/net/connection_info.h"

namespace culvert::access_log::internal {
namespace {

using net::ConnectionInfo;

template <auto kMember> Found printNumber(const Operator&, const Entry& entry, std::string& out) {
  absl::StrAppend(&out, entry.info.*kMember);
  return Found::kNumber;
}

template <auto kMember> Found printText(const Operator&, const Entry& entry, std::string& out) {
  const absl::string_view text = entry.info.*kMember;
  out.append(text.data(), text.size());
  return text.empty() ? Found::kNothing : Found::kText;
}

Found printName(const std::string* name, std::string& out) {
  if (name == nullptr || name->empty())
    return Found::kNothing;
  out.append(*name);
  return Found::kText;
}

Found printListenerName(const Operator&, const Entry& entry, std::string& out) {
  return printName(entry.info.listener == nullptr ? nullptr : &entry.info.listener->name, out);
}

Found printChainName(const Operator&, const Entry& entry, std::string& out) {
  return printName(entry.info.filter_chain == nullptr ? nullptr : &entry.info.filter_chain->name,
                   out);
}

template <auto kMember> const net::Address* address(const Entry& entry) {
  return &(entry.info.*kMember);
}

Found printDuration(const Operator&, const Entry& entry, std::string& out) {
  const base::Instant end = entry.info.end == base::Instant{} ? entry.now : entry.info.end;
  absl::StrAppend(
      &out, std::chrono::duration_cast<std::chrono::milliseconds>(end - entry.info.start).count());
  return Found::kNumber;
}

Found printFlags(const Operator&, const Entry& entry, std::string& out) {
  appendFlags(entry.info.response_flags, FlagNames::kShort, out);
  return Found::kText;
}

Found printLongFlags(const Operator&, const Entry& entry, std::string& out) {
  appendFlags(entry.info.response_flags, FlagNames::kLong, out);
  return Found::kText;
}

Found printDetails(const Operator& op, const Entry& entry, std::string& out) {
  const size_t start = out.size();
  const Found found = printText<&ConnectionInfo::response_code_details>(op, entry, out);
  if (op.text != "ALLOW_WHITESPACES")
    replaceBlanks(out, start);
  return found;
}

absl::Status keepArgument(absl::string_view argument, Operator& op) {
  op.text = std::string(argument);
  return absl::OkStatus();
}

Found printTransportFailure(const Operator& op, const Entry& entry, std::string& out) {
  const size_t start = out.size();
  const Found found = printText<&ConnectionInfo::transport_failure_reason>(op, entry, out);
  replaceBlanks(out, start);
  return found;
}

Found printCloseType(const Operator&, const Entry& entry, std::string& out) {
  absl::StrAppend(&out, closeTypeName(entry.info.detected_close));
  return Found::kText;
}

// A server name that is none is shown with its strange characters replaced, and said to be so.
Found printServerName(const Operator&, const Entry& entry, std::string& out) {
  const std::string& name = entry.info.requested_server_name;
  if (name.empty())
    return Found::kNothing;
  constexpr absl::string_view kPrefix = "invalid:";
  const size_t start = out.size();
  absl::StrAppend(&out, kPrefix, name);
  bool strange = false;
  for (size_t i = start + kPrefix.size(); i < out.size(); i++) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(out[i])) && out[i] != '.' &&
        out[i] != '-' && out[i] != '_') {
      out[i] = '_';
      strange = true;
    }
  }
  if (!strange)
    out.erase(start, kPrefix.size());
  return Found::kText;
}

absl::Status parseServerName(absl::string_view argument, Operator&) {
  const std::vector<std::string> words = absl::StrSplit(argument, ':');
  if (!words[0].empty() && words[0] != "SNI_ONLY" && words[0] != "SNI_FIRST" &&
      words[0] != "HOST_FIRST") {
    return absl::InvalidArgumentError(
        absl::StrCat("Invalid REQUESTED_SERVER_NAME option: '", words[0],
                     "', only 'SNI_ONLY'/'SNI_FIRST'/'HOST_FIRST' are allowed"));
  }
  if (words.size() > 1 && !words[1].empty() && words[1] != "ORIG_OR_HOST" && words[1] != "HOST" &&
      words[1] != "ORIG") {
    return absl::InvalidArgumentError(
        absl::StrCat("Invalid REQUESTED_SERVER_NAME option: '", words[1],
                     "', only 'ORIG_OR_HOST'/'HOST'/'ORIG' are allowed"));
  }
  return absl::OkStatus();
}

Found printType(const Operator&, const Entry& entry, std::string& out) {
  absl::StrAppend(&out, name(entry.type));
  return Found::kText;
}

// Only what is written at the end of a connection knows how it ended.
Found printCloseReason(const Operator&, const Entry& entry, std::string& out) {
  if (entry.type != Type::kNotSet && entry.type != Type::kTcpConnectionEnd &&
      entry.type != Type::kDownstreamEnd)
    return Found::kNothing;
  const net::CloseReason& reason = entry.info.close_reason;
  absl::StrAppend(&out, reason.sentence());
  if (!reason.detail.empty())
    absl::StrAppend(&out, ": ", reason.detail);
  return Found::kText;
}

// A connection that no chain took has no number, and no id.
Found printStreamId(const Operator&, const Entry& entry, std::string& out) {
  if (entry.info.id == 0)
    return Found::kNothing;
  appendUuid(streamId(entry.info), out);
  return Found::kText;
}

Found printUniqueId(const Operator&, const Entry&, std::string& out) {
  appendUuid(randomId(), out);
  return Found::kText;
}

Found printConstant(const Operator& op, const Entry&, std::string& out) {
  out += op.text;
  return Found::kText;
}

absl::Status parseHostname(absl::string_view, Operator& op) {
  char name[HOST_NAME_MAX + 1] = "";
  op.text = ::gethostname(name, sizeof(name)) == 0 ? name : "-";
  return absl::OkStatus();
}

absl::Status parseEnvironment(absl::string_view argument, Operator& op) {
  const char* const value = std::getenv(std::string(argument).c_str());
  op.text = value == nullptr ? "-" : value;
  return absl::OkStatus();
}

Found printEmpty(const Operator&, const Entry&, std::string&) { return Found::kText; }

Found printZero(const Operator&, const Entry&, std::string& out) {
  out.push_back('0');
  return Found::kNumber;
}

constexpr Command kCommands[] = {
    {"BYTES_RECEIVED", kBare, printNumber<&ConnectionInfo::bytes_received>},
    {"BYTES_SENT", kBare, printNumber<&ConnectionInfo::bytes_sent>},
    {"DOWNSTREAM_WIRE_BYTES_RECEIVED", kBare, printNumber<&ConnectionInfo::bytes_received>},
    {"DOWNSTREAM_WIRE_BYTES_SENT", kBare, printNumber<&ConnectionInfo::bytes_sent>},
    {"DURATION", kBare, printDuration},
    {"CONNECTION_ID", kBare, printNumber<&ConnectionInfo::id>},
    {"STREAM_ID", kBare, printStreamId},
    {"UNIQUE_ID", kBare, printUniqueId},
    {"RESPONSE_FLAGS", kBare, printFlags},
    {"RESPONSE_FLAGS_LONG", kBare, printLongFlags},
    {"RESPONSE_CODE_DETAILS", kMayHaveArgument, printDetails, keepArgument},
    {"CONNECTION_TERMINATION_DETAILS", kBare, printText<&ConnectionInfo::termination_details>},
    {"DOWNSTREAM_TRANSPORT_FAILURE_REASON", kBare, printTransportFailure},
    {"DOWNSTREAM_DETECTED_CLOSE_TYPE", kBare, printCloseType},
    {"DOWNSTREAM_LOCAL_CLOSE_REASON", kBare, printText<&ConnectionInfo::local_close_reason>},
    {"CULVERT_CLOSE_REASON", kBare, printCloseReason},
    {"LISTENER_NAME", kBare, printListenerName},
    {"FILTER_CHAIN_NAME", kBare, printChainName},
    {"REQUESTED_SERVER_NAME", kMayHaveArgument, printServerName, parseServerName},
    {"ACCESS_LOG_TYPE", kBare, printType},
    {"HOSTNAME", kVerbatim, printConstant, parseHostname},
    {"ENVIRONMENT", kNeedsArgument | kMayHaveLength | kVerbatim, printConstant, parseEnvironment},
    {"CUSTOM_FLAGS", kBare, printEmpty},
    {"LOCAL_REPLY_BODY", kBare, printEmpty},

    {"DOWNSTREAM_REMOTE_ADDRESS", kBare, printAddress<address<&ConnectionInfo::remote>>},
    {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", kMayHaveArgument,
     printWithoutPort<address<&ConnectionInfo::remote>>, parsePrefixBits},
    {"DOWNSTREAM_REMOTE_PORT", kBare, printPort<address<&ConnectionInfo::remote>>},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS", kBare,
     printAddress<address<&ConnectionInfo::direct_remote>>},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", kMayHaveArgument,
     printWithoutPort<address<&ConnectionInfo::direct_remote>>, parsePrefixBits},
    {"DOWNSTREAM_DIRECT_REMOTE_PORT", kBare, printPort<address<&ConnectionInfo::direct_remote>>},
    {"DOWNSTREAM_LOCAL_ADDRESS", kBare, printAddress<address<&ConnectionInfo::local>>},
    {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", kMayHaveArgument,
     printWithoutPort<address<&ConnectionInfo::local>>, parsePrefixBits},
    {"DOWNSTREAM_LOCAL_PORT", kBare, printPort<address<&ConnectionInfo::local>>},
    {"DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID", kBare,
     printEndpointId<address<&ConnectionInfo::local>>},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS", kBare,
     printAddress<address<&ConnectionInfo::direct_local>>},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT", kMayHaveArgument,
     printWithoutPort<address<&ConnectionInfo::direct_local>>, parsePrefixBits},
    {"DOWNSTREAM_DIRECT_LOCAL_PORT", kBare, printPort<address<&ConnectionInfo::direct_local>>},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID", kBare,
     printEndpointId<address<&ConnectionInfo::direct_local>>},

    // Of HTTP, and of the kernel's figures, which are not asked for.
    {"REQUEST_HEADERS_BYTES", kBare, printZero},
    {"RESPONSE_HEADERS_BYTES", kBare, printZero},
    {"RESPONSE_TRAILERS_BYTES", kBare, printZero},
    {"ROUTE_RESOLUTION_COUNT", kBare, printZero},
    {"BYTES_RETRANSMITTED", kBare, printZero},
    {"PACKETS_RETRANSMITTED", kBare, printZero},
    {"DOWNSTREAM_CX_RTT", kBare, printZero},
    {"UPSTREAM_HEADER_BYTES_RECEIVED", kBare, printZero},
    {"UPSTREAM_HEADER_BYTES_SENT", kBare, printZero},
    {"UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED", kBare, printZero},
    {"UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT", kBare, printZero},
    {"DOWNSTREAM_HEADER_BYTES_RECEIVED", kBare, printZero},
    {"DOWNSTREAM_HEADER_BYTES_SENT", kBare, printZero},
    {"DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED", kBare, printZero},
    {"DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT", kBare, printZero},
};

} // namespace

absl::Span<const Command> connectionCommands() { return kCommands; }

} // namespace culvert::access_log::internal
