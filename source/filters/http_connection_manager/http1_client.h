// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>

#include "source/filter_api/filter.h"
#include "source/filters/http_connection_manager/client.h"

namespace culvert::http_connection_manager {

// An HTTP/1 connection, which is its one tunnel from the request on. It is paused until then.
// Threads: the worker's. Lifetime: as Client.
class Http1Client final : public Client {
public:
  explicit Http1Client(Connection& connection) : connection_(connection) {}

  // What came behind the request.
  void keepEarly(net::Buffer& data, bool end);
  // What the filter hears.
  void onData(net::Buffer& data, bool end);

  void attach(Tunnel& tunnel) override { tunnel_ = &tunnel; }
  bool ended() const override { return ended_; }
  void accept(const hbone::Http2Fields& fields) override;
  void refuse(uint32_t status, const hbone::Http2Fields& fields, std::string body,
              bool host_failed) override;
  void write(net::Buffer& data, bool end) override { connection_.write(data, end); }
  void pauseReading() override { connection_.pauseReading(); }
  void resumeReading() override;
  void close(net::CloseMode mode) override;
  void timeOut() override { close(net::CloseMode::kReset); }

  // A whole response.
  static std::string responseOf(uint32_t status, const hbone::Http2Fields& fields,
                                absl::string_view body);

private:
  Connection& connection_;
  Tunnel* tunnel_ = nullptr;
  net::Buffer early_;
  bool ended_ = false;
  bool early_end_ = false;
};

} // namespace culvert::http_connection_manager
