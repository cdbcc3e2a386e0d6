// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/node/outcome.h"

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "source/event/http_server.h"
#include "source/net/socket.h"

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

// What connect() may fail with, in the end.
constexpr int kConnectErrors[] = {ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH,  ENETUNREACH, ECONNRESET,
                                  EACCES,       EPERM,     EADDRNOTAVAIL, EINVAL};

// "Connection refused (os error 111)" of Envoy's "delayed connect error: Connection refused"; all
// that is not of a socket stays.
std::string ioError(absl::string_view reason) {
  if (!absl::ConsumePrefix(&reason, "delayed connect error: ") &&
      absl::ConsumePrefix(&reason, "immediate connect error: ")) {
    reason = reason.substr(0, reason.find('|'));
  }
  for (const int error : kConnectErrors) {
    if (reason == net::errnoText(error)) {
      return absl::StrCat(reason, " (os error ", error, ")");
    }
  }
  return std::string(reason);
}

Outcome connectFailure(const ConnectFailure& failure, const ConnectionRecord& record) {
  using Kind = ConnectFailure::Kind;
  const bool inbound = record.direction == ConnectionRecord::Direction::kInbound;
  absl::string_view reason = failure.reason;
  if (absl::ConsumePrefix(&reason, "tunnel_response:")) {
    return {absl::StrCat("http status: ", statusText(reason)), "CONNECT"};
  }
  if (absl::StartsWith(reason, "identity error")) {
    return {std::string(reason), "IDENTITY_ERROR"};
  }
  if (failure.kind == Kind::kTunnel) {
    return {absl::StrCat("h2 failed: ", reason), "CONNECT"};
  }
  const bool timed_out =
      failure.kind == Kind::kTimeout || absl::EndsWith(reason, net::errnoText(ETIMEDOUT));
  const std::string error =
      failure.kind == Kind::kTimeout ? "deadline has elapsed" : ioError(reason);
  if (inbound) {
    return {absl::StrCat("connection failed: ", error), "CONNECT"};
  }
  if (timed_out && record.tunnelled) {
    return {
        absl::StrCat("connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: ",
                     error),
        "NETWORK_POLICY"};
  }
  return {absl::StrCat("io error: ", error), "CONNECT"};
}

// Then bytes may be missing.
bool lost(const net::ConnectionInfo& info, bool inbound) {
  return inbound ? info.transport_failure_reason == net::kTunnelLost
                 : info.close_reason.detail == net::kTunnelLost;
}

} // namespace

std::optional<ConnectFailure> connectFailureOf(const net::ConnectionInfo& info) {
  using Kind = ConnectFailure::Kind;
  const uint32_t flags = info.response_flags | info.close_reason.responseFlags();
  if ((flags & kFailures) == 0) {
    return std::nullopt;
  }
  const net::UpstreamInfo* const upstream = info.upstream.get();
  if (upstream != nullptr && upstream->timed_out) {
    return ConnectFailure{Kind::kTimeout, ""};
  }
  if (upstream != nullptr && upstream->tunnel_failure != nullptr) {
    return ConnectFailure{Kind::kTunnel, *upstream->tunnel_failure};
  }
  return upstream != nullptr && !upstream->failure_reason.empty()
             ? ConnectFailure{Kind::kOther, upstream->failure_reason}
             : ConnectFailure{Kind::kOther, std::string(info.close_reason.sentence())};
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
  const std::optional<ConnectFailure> failure = connectFailureOf(info);
  if (!failure.has_value()) {
    return {};
  }
  const bool of_gateway = record.crossing != nullptr && record.crossing->failure.has_value();
  return connectFailure(of_gateway ? *record.crossing->failure : *failure, record);
}

} // namespace culvert::mesh
