// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/time/time.h"
#include "source/access_log/access_log.h"
#include "source/access_log/formatter.h"
#include "source/net/connection_info.h"

namespace culvert::access_log {

// A TCP session as real Envoy 1.40 had it for the values that the tests expect: three bytes from
// 127.0.0.1:36670 to the listener at 127.0.0.1:38369, five back from the host 127.0.0.1:38119.
struct TestSession {
  const net::ListenerDescription listener{"ingress", nullptr};
  net::ConnectionInfo info;
  Type type = Type::kTcpConnectionEnd;
  const std::shared_ptr<net::ClusterDescription> cluster =
      std::make_shared<net::ClusterDescription>();

  TestSession() {
    info.id = 98;
    info.remote = info.direct_remote = ip("127.0.0.1:36670");
    info.local = info.direct_local = ip("127.0.0.1:38369");
    info.start = base::Instant(std::chrono::hours(5));
    info.end = info.start + std::chrono::microseconds(1706);
    info.start_wall = absl::ToChronoTime(
        absl::FromCivil(absl::CivilSecond(2026, 11, 21, 9, 57, 16), absl::UTCTimeZone()) +
        absl::Microseconds(11425));
    info.listener = &listener;
    info.bytes_received = 3;
    info.bytes_sent = 5;
    info.close_reason = net::CloseReason::of(net::CloseCode::kPeerClosed);
    connect();
  }

  static net::Address ip(absl::string_view text) { return *net::Address::parseIpPort(text); }

  void connect() {
    net::UpstreamInfo& upstream = info.mutableUpstream();
    tryHost("127.0.0.1:38119", "");
    cluster->name = "backend";
    cluster->stat_name = "alt";
    upstream.cluster = cluster;
    upstream.local = ip("127.0.0.1:35324");
    upstream.connection_id = 99;
    upstream.connect_start = info.start + std::chrono::microseconds(40);
    upstream.connect_end = upstream.connect_start + std::chrono::microseconds(60);
    upstream.attempts = 1;
    upstream.bytes_received = 5;
    upstream.bytes_sent = 3;
  }

  void tryHost(absl::string_view address, std::string hostname) {
    auto host = std::make_shared<net::HostDescription>();
    host->address = ip(address);
    host->hostname = std::move(hostname);
    info.mutableUpstream().host = host;
    info.mutableUpstream().hosts_attempted.push_back(host);
  }

  // As it was while the host refused.
  void refuse() {
    net::UpstreamInfo& upstream = info.mutableUpstream();
    upstream.local = net::Address();
    upstream.connect_end = base::Instant{};
    upstream.bytes_received = upstream.bytes_sent = 0;
    upstream.failure_reason = "delayed connect error: Connection refused";
    info.response_flags = net::kUpstreamConnectionFailure | net::kUpstreamRetryLimitExceeded;
    info.close_reason = net::CloseReason::of(net::CloseCode::kConnectFailed);
    info.local_close_reason = info.close_reason.localCloseReason();
    info.bytes_received = info.bytes_sent = 0;
  }

  Entry entry() const {
    return {info, type, info.end, info.start_wall + std::chrono::milliseconds(2)};
  }
};

} // namespace culvert::access_log
