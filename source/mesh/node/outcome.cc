// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/node/outcome.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "source/event/http_server.h"

namespace culvert::mesh {
namespace {

constexpr uint32_t kFailures = net::kUpstreamConnectionFailure | net::kNoHealthyUpstream |
                               net::kUpstreamOverflow | net::kNoClusterFound |
                               net::kUpstreamRetryLimitExceeded;

// "401 Unauthorized" of "401".
std::string statusText(absl::string_view status) {
  int code = 0;
  return absl::SimpleAtoi(status, &code) ? absl::StrCat(status, " ", event::httpReason(code))
                                         : std::string(status);
}

// While it lived; of those who were revoked before there was no connection.
bool endedByRevocation(const net::ConnectionInfo& info) {
  const auto is_revoked = [](const net::TlsInfo* tls) {
    return tls != nullptr && tls->peerRevoked();
  };
  return is_revoked(info.tls) || (info.upstream != nullptr && is_revoked(info.upstream->tls.get()));
}

Outcome connectFailure(absl::string_view reason, const ConnectionRecord& record) {
  const bool inbound = record.direction == ConnectionRecord::Direction::kInbound;
  if (absl::ConsumePrefix(&reason, "tunnel_response:")) {
    return {absl::StrCat("http status: ", statusText(reason)), "CONNECT"};
  }
  if (absl::StartsWith(reason, "identity error")) {
    return {std::string(reason), "IDENTITY_ERROR"};
  }
  if (reason.empty()) { // Time was up.
    return record.tunnelled && !inbound
               ? Outcome{"connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008",
                         "NETWORK_POLICY"}
               : Outcome{absl::StrCat(inbound ? "connection failed: " : "io error: ",
                                      "connection timed out"),
                         "CONNECT"};
  }
  return {absl::StrCat(inbound ? "connection failed: " : "io error: ", reason), "CONNECT"};
}

// Then bytes may be missing.
bool lost(const net::ConnectionInfo& info, bool inbound) {
  return inbound ? info.transport_failure_reason == net::kTunnelLost
                 : info.close_reason.detail == net::kTunnelLost;
}

} // namespace

std::optional<std::string> connectFailureOf(const net::ConnectionInfo& info) {
  const uint32_t flags = info.response_flags | info.close_reason.responseFlags();
  if ((flags & kFailures) == 0) {
    return std::nullopt;
  }
  return info.upstream == nullptr ? "" : info.upstream->failure_reason;
}

Outcome Outcome::of(const net::ConnectionInfo& info, const ConnectionRecord& record) {
  if (!record.error.empty()) {
    return {record.error, record.denied ? "DENY" : "CONNECT"};
  }
  if (endedByRevocation(info)) { // Whatever else the end of its tunnel looked like.
    return {"connection closed: peer certificate revoked by CRL", "CERT_REVOKED"};
  }
  const bool inbound = record.direction == ConnectionRecord::Direction::kInbound;
  if (record.tunnelled && lost(info, inbound)) {
    return {inbound ? "receive: client disconnected before all data was written"
                    : "send: destination disconnected before all data was written",
            "CONNECT"};
  }
  const std::optional<std::string> failure = connectFailureOf(info);
  if (!failure.has_value()) {
    return {};
  }
  const bool of_gateway = record.crossing != nullptr && record.crossing->failure.has_value();
  return connectFailure(of_gateway ? *record.crossing->failure : *failure, record);
}

} // namespace culvert::mesh
