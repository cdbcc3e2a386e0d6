// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/access_log/access_log.h"
#include "source/access_log/formatter.h"
#include "source/net/connection_info.h"
#include "source/upstream/upstream.h"

namespace envoy::extensions::filters::network::tcp_proxy::v3 {
class TcpProxy_TunnelingConfig;
}

namespace culvert::tcp_proxy {

// What hosts are asked for, instead of being sent the bytes as they are: `tunneling_config`.
// Threads: built on main, then read-only on all workers.
class Tunneling {
public:
  // Errors: begin with the path of the field inside the message.
  static absl::StatusOr<std::unique_ptr<const Tunneling>>
  create(const envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy_TunnelingConfig& proto);

  upstream::TunnelRequest request(const access_log::Entry& entry) const;
  bool keepsAnswer() const { return keeps_answer_; }

private:
  struct Header {
    std::string name;
    access_log::Formatter::Ptr value;
    bool overwrites; // What another one of its name has set.
    bool keep_empty;
  };

  template <class Option> absl::Status readHeader(const Option& option);

  access_log::Formatter::Ptr hostname_;
  std::string post_path_; // Empty: CONNECT.
  std::vector<Header> headers_;
  bool keeps_answer_ = false;
};

// What a host answered to it, for %FILTER_STATE(...:TYPED)%. Threads: any.
class TunnelAnswer final : public net::FilterState::Object {
public:
  static constexpr absl::string_view kKey = "envoy.tcp_proxy.propagate_response_headers";

  explicit TunnelAnswer(upstream::HttpFields fields) : fields_(std::move(fields)) {}
  std::string serialize() const override { return {}; }
  net::Value typed() const override;

private:
  const upstream::HttpFields fields_;
};

} // namespace culvert::tcp_proxy
