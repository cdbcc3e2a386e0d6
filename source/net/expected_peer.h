// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "source/net/connection_info.h"

namespace culvert::net {

// In the filter state of a downstream connection: of whom one must be at the other end of its
// upstream connection, as URIs of certificates. Immutable. Threads: any.
class ExpectedPeer final : public FilterState::Object {
public:
  static constexpr absl::string_view kKey = "culvert.expected_peer";
  using Uris = std::shared_ptr<const std::vector<std::string>>;

  explicit ExpectedPeer(std::vector<std::string> uris)
      : uris_(std::make_shared<const std::vector<std::string>>(std::move(uris))) {}
  const Uris& uris() const { return uris_; }
  std::string serialize() const override { return absl::StrJoin(*uris_, ","); }

private:
  const Uris uris_;
};

} // namespace culvert::net
