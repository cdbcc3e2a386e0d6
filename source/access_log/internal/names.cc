// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/internal/names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "source/access_log/access_log.h"
#include "source/net/close_reason.h"

namespace culvert::access_log {

absl::string_view name(Type type) {
  switch (type) {
  case Type::kNotSet:
    return "NotSet";
  case Type::kTcpConnectionStart:
    return "TcpConnectionStart";
  case Type::kTcpUpstreamConnected:
    return "TcpUpstreamConnected";
  case Type::kTcpPeriodic:
    return "TcpPeriodic";
  case Type::kTcpConnectionEnd:
    return "TcpConnectionEnd";
  case Type::kDownstreamEnd:
    return "DownstreamEnd";
  }
  return "";
}

namespace internal {
namespace {

struct Flag {
  uint32_t bit;
  absl::string_view short_name;
  absl::string_view long_name;
};

// Envoy prints flags in the order in which they came: a failed attempt comes before what became of
// the session.
constexpr Flag kFlags[] = {
    {net::kUpstreamConnectionFailure, "UF", "UpstreamConnectionFailure"},
    {net::kNoHealthyUpstream, "UH", "NoHealthyUpstream"},
    {net::kUpstreamOverflow, "UO", "UpstreamOverflow"},
    {net::kNoRouteFound, "NR", "NoRouteFound"},
    {net::kUpstreamRetryLimitExceeded, "URX", "UpstreamRetryLimitExceeded"},
    {net::kNoClusterFound, "NC", "NoClusterFound"},
    {net::kDurationTimeout, "DT", "DurationTimeout"},
    {net::kUpstreamRemoteReset, "UR", "UpstreamRemoteReset"},
    {net::kDnsResolutionFailed, "DF", "DnsResolutionFailed"},
    {net::kOverloadManager, "OM", "OverloadManagerTerminated"},
    {net::kUpstreamConnectionTermination, "UC", "UpstreamConnectionTermination"},
    {net::kUpstreamRequestTimeout, "UT", "UpstreamRequestTimeout"},
    {net::kDownstreamConnectionTermination, "DC", "DownstreamConnectionTermination"},
    {net::kDownstreamRemoteReset, "DR", "DownstreamRemoteReset"},
    {net::kStreamIdleTimeout, "SI", "StreamIdleTimeout"},
    {net::kDownstreamProtocolError, "DPE", "DownstreamProtocolError"},
};

constexpr absl::string_view kHttpFlags[] = {"LH",   "LR",  "DI",   "FI", "RL",  "UAEX",  "IH",
                                            "RLSE", "UPE", "RFCF", "DO", "UDO", "UMSDR", "NFCF"};

} // namespace

void appendFlags(uint32_t flags, FlagNames names, std::string& out) {
  const size_t start = out.size();
  for (const Flag& flag : kFlags) {
    if ((flags & flag.bit) == 0)
      continue;
    if (out.size() > start)
      out.push_back(',');
    const absl::string_view text = names == FlagNames::kShort ? flag.short_name : flag.long_name;
    out.append(text.data(), text.size());
  }
  if (out.size() == start)
    out.push_back('-');
}

std::optional<uint32_t> flagOf(absl::string_view short_name) {
  for (const Flag& flag : kFlags) {
    if (flag.short_name == short_name)
      return flag.bit;
  }
  if (std::find(std::begin(kHttpFlags), std::end(kHttpFlags), short_name) != std::end(kHttpFlags))
    return 0;
  return std::nullopt;
}

absl::string_view closeTypeName(net::DetectedClose close) {
  switch (close) {
  case net::DetectedClose::kNormal:
    return "Normal";
  case net::DetectedClose::kLocalReset:
    return "LocalReset";
  case net::DetectedClose::kRemoteReset:
    return "RemoteReset";
  }
  return "";
}

void replaceBlanks(std::string& out, size_t start) {
  std::replace_if(
      out.begin() + static_cast<std::string::difference_type>(start), out.end(),
      [](char c) { return absl::ascii_isspace(static_cast<unsigned char>(c)); }, '_');
}

} // namespace internal
} // namespace culvert::access_log
