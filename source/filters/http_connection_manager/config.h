// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "source/access_log/access_log.h"
#include "source/base/clock.h"
#include "source/config/filter_state_values.h"
#include "source/filter_api/factory.h"
#include "source/filters/http_connection_manager/routes.h"
#include "source/filters/http_connection_manager/stats.h"
#include "source/hbone/http2_session.h"

namespace google::protobuf {
class Any;
}
namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class HttpConnectionManager;
}

namespace culvert::http_connection_manager {

enum class Codec : uint8_t { kAuto, kHttp1, kHttp2 };

// An http_connection_manager entry of a chain. Threads: built on main, then read-only on all
// workers.
class Config {
public:
  using Proto =
      envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

  static absl::StatusOr<std::shared_ptr<const Config>> create(const Proto& proto,
                                                              FactoryContext& context);

  Stats& stats() const { return *stats_; }
  hbone::Http2Stats& http2Stats() const { return *http2_stats_; }

  Codec codec = Codec::kAuto;
  hbone::Http2Options http2;
  Routes routes;
  config::FilterStateValues state_values; // What set_filter_state filters write, in order.
  std::string server_name = "envoy";      // Empty: no such header.
  bool tell_service_time = true;
  base::Duration stream_idle_timeout{std::chrono::minutes(5)}; // 0: for ever, as below.
  base::Duration idle_timeout{std::chrono::hours(1)};          // Without streams.
  base::Duration drain_timeout{std::chrono::seconds(5)};
  access_log::Loggers access_logs;

private:
  void readTimes(const Proto& proto);
  absl::Status readHttp2(const Proto& proto);
  absl::Status readFilters(const Proto& proto);
  absl::Status readFilter(const google::protobuf::Any& config);

  std::unique_ptr<stats::Scope> scope_;
  std::unique_ptr<stats::Scope> http2_scope_;
  std::unique_ptr<Stats> stats_;
  std::unique_ptr<hbone::Http2Stats> http2_stats_;
};

} // namespace culvert::http_connection_manager
