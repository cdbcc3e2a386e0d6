// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "source/server/listener_config.h"

namespace culvert::server {

// What is known of a connection when its chain is chosen. Lifetime: the call's.
struct ChainQuery {
  const net::Address& destination;
  const net::Address& source;
  const net::Address& direct_source;
  absl::string_view server_name;
  absl::string_view transport_protocol; // "tls" or "raw_buffer"
  const std::vector<std::string>& application_protocols;
};

// Chooses the filter chain of a connection: criterion after criterion keeps those chains that name
// the most specific value that fits, without ever going back (envoy-compat A.2). That is a tree
// with a level for each criterion that some chain uses, so a thousand chains cost little more than
// two. Threads: built on main, then read-only on all workers.
class FilterChainMatcher {
public:
  // Errors: two chains that ask for the same, or overlap; a bad server name. In Envoy's words,
  // after the path of the chain: "filter_chains[1]: ...".
  static absl::StatusOr<std::unique_ptr<const FilterChainMatcher>>
  create(std::vector<FilterChainPtr> chains, FilterChainPtr default_chain);
  ~FilterChainMatcher();

  // Null when no chain matches and there is no default one.
  const FilterChain* find(const ChainQuery& query) const;

  struct Node;      // What is left after some criteria.
  struct Criterion; // One level.

private:
  FilterChainMatcher(std::vector<FilterChainPtr> chains, FilterChainPtr default_chain);

  absl::Status insert(Node& node, size_t level, const FilterChain& chain);

  const std::vector<FilterChainPtr> chains_;
  const FilterChainPtr default_chain_;
  std::vector<const Criterion*> levels_;
  const std::unique_ptr<Node> root_;
};

} // namespace culvert::server
