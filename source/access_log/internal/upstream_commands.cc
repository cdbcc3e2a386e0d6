// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "source/access_log/internal/address_print.h"
#include "source/access_log/internal/names.h"
#include "source/access_log/internal/operator.h"
#include "source/net/connection_info.h"

namespace culvert::access_log::internal {
namespace {

using net::HostDescription;
using net::UpstreamInfo;

template <auto kMember> Found printNumber(const Operator&, const Entry& entry, std::string& out) {
  const UpstreamInfo* const upstream = entry.info.upstream.get();
  absl::StrAppend(&out, upstream == nullptr ? 0 : upstream->*kMember);
  return Found::kNumber;
}

bool connected(const UpstreamInfo* upstream) {
  return upstream != nullptr && upstream->connect_end != base::Instant{};
}

const net::Address* hostAddress(const Entry& entry) {
  const UpstreamInfo* const upstream = entry.info.upstream.get();
  return upstream == nullptr || upstream->host == nullptr ? nullptr : &upstream->host->address;
}

// A host that could not be connected is known, but it was never at the other end.
const net::Address* remoteAddress(const Entry& entry) {
  const net::UpstreamInfo* const upstream = entry.info.upstream.get();
  if (!connected(upstream)) {
    return nullptr;
  }
  return upstream->reached != nullptr ? upstream->reached.get() : hostAddress(entry);
}

const net::Address* localAddress(const Entry& entry) {
  return entry.info.upstream == nullptr ? nullptr : &entry.info.upstream->local;
}

// Cuts ":80" off; an IPv6 address stands in brackets when it has a port.
void cutPort(std::string& out, size_t start) {
  const size_t colon = out.rfind(':');
  const size_t bracket = out.rfind(']');
  const bool in_brackets = bracket != std::string::npos && bracket >= start;
  if (colon != std::string::npos && colon >= start && (!in_brackets || bracket < colon))
    out.resize(colon);
}

enum class Port : uint8_t { kShown, kCut };

void appendHostAddress(const HostDescription& host, Port port, std::string& out) {
  Operator whole;
  whole.number = -1;
  if (port == Port::kShown) {
    appendAddress(&host.address, out);
  } else {
    appendWithoutPort(&host.address, whole, out);
  }
}

void appendHostName(const HostDescription& host, Port port, std::string& out) {
  const size_t start = out.size();
  out += host.hostname.empty() ? host.address.toString() : host.hostname;
  if (port == Port::kCut)
    cutPort(out, start);
}

template <auto kAppend, Port kPort>
Found printHost(const Operator&, const Entry& entry, std::string& out) {
  const UpstreamInfo* const upstream = entry.info.upstream.get();
  if (upstream == nullptr || upstream->host == nullptr)
    return Found::kNothing;
  kAppend(*upstream->host, kPort, out);
  return Found::kText;
}

template <auto kAppend, Port kPort>
Found printAttempted(const Operator&, const Entry& entry, std::string& out) {
  const UpstreamInfo* const upstream = entry.info.upstream.get();
  if (upstream == nullptr || upstream->hosts_attempted.empty())
    return Found::kNothing;
  const size_t start = out.size();
  for (const auto& host : upstream->hosts_attempted) {
    if (out.size() > start)
      out.push_back(',');
    kAppend(*host, kPort, out);
  }
  return Found::kText;
}

Found printConnectionId(const Operator&, const Entry& entry, std::string& out) {
  const UpstreamInfo* const upstream = entry.info.upstream.get();
  absl::StrAppend(&out, connected(upstream) ? upstream->connection_id : 0);
  return Found::kNumber;
}

// Of those that were made there is one at most.
Found printConnectionIds(const Operator&, const Entry& entry, std::string& out) {
  const UpstreamInfo* const upstream = entry.info.upstream.get();
  if (!connected(upstream))
    return Found::kNothing;
  absl::StrAppend(&out, upstream->connection_id);
  return Found::kText;
}

Found printCluster(const Operator&, const Entry& entry, std::string& out) {
  const UpstreamInfo* const upstream = entry.info.upstream.get();
  if (upstream == nullptr || upstream->cluster == nullptr)
    return Found::kNothing;
  out += upstream->cluster->stat_name;
  return Found::kText;
}

Found printRawCluster(const Operator&, const Entry& entry, std::string& out) {
  const UpstreamInfo* const upstream = entry.info.upstream.get();
  if (upstream == nullptr || upstream->cluster == nullptr)
    return Found::kNothing;
  out += upstream->cluster->name;
  return Found::kText;
}

Found printCloseType(const Operator&, const Entry& entry, std::string& out) {
  if (entry.info.upstream == nullptr)
    return Found::kNothing;
  absl::StrAppend(&out, closeTypeName(entry.info.upstream->detected_close));
  return Found::kText;
}

Found printCloseReason(const Operator&, const Entry& entry, std::string& out) {
  const UpstreamInfo* const upstream = entry.info.upstream.get();
  if (upstream == nullptr || upstream->local_close_reason.empty())
    return Found::kNothing;
  absl::StrAppend(&out, upstream->local_close_reason);
  return Found::kText;
}

Found printFailureReason(const Operator&, const Entry& entry, std::string& out) {
  const UpstreamInfo* const upstream = entry.info.upstream.get();
  if (upstream == nullptr || upstream->failure_reason.empty())
    return Found::kNothing;
  const size_t start = out.size();
  out += upstream->failure_reason;
  replaceBlanks(out, start);
  return Found::kText;
}

// From asking for a connection to having one, or to knowing that there is none.
Found printReadyDuration(const Operator&, const Entry& entry, std::string& out) {
  const UpstreamInfo* const upstream = entry.info.upstream.get();
  if (upstream == nullptr || upstream->cluster == nullptr)
    return Found::kNothing;
  base::Duration duration{};
  if (upstream->connect_start != base::Instant{})
    duration = (connected(upstream) ? upstream->connect_end : entry.now) - upstream->connect_start;
  absl::StrAppend(&out, std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
  return Found::kNumber;
}

constexpr Command kCommands[] = {
    {"UPSTREAM_HOST", kBare, printAddress<hostAddress>},
    {"UPSTREAM_HOST_NAME", kBare, printHost<appendHostName, Port::kShown>},
    {"UPSTREAM_HOST_NAME_WITHOUT_PORT", kBare, printHost<appendHostName, Port::kCut>},
    {"UPSTREAM_HOSTS_ATTEMPTED", kBare, printAttempted<appendHostAddress, Port::kShown>},
    {"UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT", kBare, printAttempted<appendHostAddress, Port::kCut>},
    {"UPSTREAM_HOST_NAMES_ATTEMPTED", kBare, printAttempted<appendHostName, Port::kShown>},
    {"UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT", kBare,
     printAttempted<appendHostName, Port::kCut>},
    {"UPSTREAM_CONNECTION_IDS_ATTEMPTED", kBare, printConnectionIds},
    {"UPSTREAM_CONNECTION_ID", kBare, printConnectionId},
    {"UPSTREAM_REQUEST_ATTEMPT_COUNT", kBare, printNumber<&UpstreamInfo::attempts>},
    {"UPSTREAM_WIRE_BYTES_RECEIVED", kBare, printNumber<&UpstreamInfo::bytes_received>},
    {"UPSTREAM_WIRE_BYTES_SENT", kBare, printNumber<&UpstreamInfo::bytes_sent>},
    {"UPSTREAM_CLUSTER", kBare, printCluster},
    {"UPSTREAM_CLUSTER_RAW", kBare, printRawCluster},
    {"UPSTREAM_LOCAL_ADDRESS", kBare, printAddress<localAddress>},
    {"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", kMayHaveArgument, printWithoutPort<localAddress>,
     parsePrefixBits},
    {"UPSTREAM_LOCAL_PORT", kBare, printPort<localAddress>},
    {"UPSTREAM_REMOTE_ADDRESS", kBare, printAddress<remoteAddress>},
    {"UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", kMayHaveArgument, printWithoutPort<remoteAddress>,
     parsePrefixBits},
    {"UPSTREAM_REMOTE_PORT", kBare, printPort<remoteAddress>},
    {"UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID", kBare, printEndpointId<remoteAddress>},
    {"UPSTREAM_DETECTED_CLOSE_TYPE", kBare, printCloseType},
    {"UPSTREAM_LOCAL_CLOSE_REASON", kBare, printCloseReason},
    {"UPSTREAM_TRANSPORT_FAILURE_REASON", kBare, printFailureReason},
    {"UPSTREAM_CONNECTION_POOL_READY_DURATION", kBare, printReadyDuration},
};

} // namespace

absl::Span<const Command> upstreamCommands() { return kCommands; }

} // namespace culvert::access_log::internal
