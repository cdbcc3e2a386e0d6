// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.pb.h"
#include "source/filter_api/factory.h"
#include "source/net/metadata.h"
#include "source/stats/store.h"

namespace culvert::proxy_protocol {

// The statistics proxy_proto.[<stat_prefix>.]*, and one that Envoy keeps outside of them. Filters
// of one prefix share them.
struct Stats {
  Stats(stats::Scope& scope, stats::Scope& root);

  struct Version {
    Version(stats::Scope& scope, absl::string_view name);

    stats::Counter& found;
    stats::Counter& disallowed;
    stats::Counter& error;
  };
  Version& of(int version) { return version == 1 ? v1 : v2; }

  stats::Counter& not_found_allowed;
  stats::Counter& not_found_disallowed;
  stats::Counter& downstream_cx_proxy_proto_error;
  Version v1;
  Version v2;
};

// Where the value of a TLV goes.
struct Rule {
  std::string encode(absl::string_view value) const;

  uint8_t type = 0;
  std::string metadata_namespace;
  std::string key;
  bool base64 = false; // Otherwise as text, with '!' for what is no UTF-8.
};

// A proxy_protocol entry of a listener. Threads: built on main, then read-only on all workers.
class Config {
public:
  using Proto = envoy::extensions::filters::listener::proxy_protocol::v3::ProxyProtocol;

  // Errors: both versions disallowed.
  static absl::StatusOr<std::shared_ptr<const Config>> create(const Proto& proto,
                                                              FactoryContext& context);

  Stats& stats() const { return *stats_; }
  bool disallows(int version) const { return disallowed_[static_cast<size_t>(version - 1)]; }
  bool passes(uint8_t type) const { return passed_[type]; }
  bool hasRules() const { return !rules_.empty(); }
  // Null when no rule is about `type`.
  const Rule* ruleFor(uint8_t type) const;

  bool allow_no_header = false;
  bool to_filter_state = false; // What rules pick; otherwise to dynamic metadata.

private:
  void readPassed(const Proto& proto);
  void readRules(const Proto& proto);

  std::unique_ptr<stats::Scope> scope_;
  std::unique_ptr<Stats> stats_;
  std::array<bool, 2> disallowed_ = {};
  std::bitset<256> passed_; // Types of TLVs that hosts may be told.
  std::vector<Rule> rules_;
};

// `text` with each byte that is not part of UTF-8 replaced by '!'.
std::string sanitizeUtf8(absl::string_view text);

// The fields, all of them texts, as a JSON object.
std::string toJson(const net::Value::Fields& fields);

} // namespace culvert::proxy_protocol
