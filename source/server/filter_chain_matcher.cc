// SPDX-License-Identifier: Apache-2.0
#include "source/server/filter_chain_matcher.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace culvert::server {

struct FilterChainMatcher::Node {
  // By the value that chains name; those that name none are under "".
  absl::flat_hash_map<std::string, std::unique_ptr<Node>> children;
  std::vector<uint8_t> prefix_bits; // Of the children's prefixes, longest first.
  const FilterChain* chain = nullptr;

  const Node* child(absl::string_view value) const {
    const auto it = children.find(value);
    return it == children.end() ? nullptr : it->second.get();
  }
};

struct FilterChainMatcher::Criterion {
  // What a chain names, as keys; nothing: it takes everything.
  std::vector<std::string> (*values)(const FilterChainMatch& match);
  // The child whose value fits best and is not ""; null if none does.
  const Node* (*best)(const Node& node, const ChainQuery& query);
  bool of_prefixes = false;
};

namespace {

using Node = FilterChainMatcher::Node;
using Criterion = FilterChainMatcher::Criterion;
using Values = std::vector<std::string>;

constexpr size_t kIpBytesMax = 16;

absl::string_view portKey(const uint16_t& port) {
  return {reinterpret_cast<const char*>(&port), sizeof(port)};
}

// The base's bytes and the length: those of IPv4 and IPv6 are never the same.
Values prefixKeys(const std::vector<net::Cidr>& ranges) {
  Values keys;
  for (const net::Cidr& range : ranges) {
    keys.push_back(absl::StrCat(range.base().ipBytes(),
                                std::string(1, static_cast<char>(range.prefixBits()))));
  }
  return keys;
}

// Pipes and internal addresses count as 255.255.255.255, as in Envoy.
absl::string_view ipOf(const net::Address& address) {
  return address.isIp() ? address.ipBytes() : absl::string_view("\xff\xff\xff\xff");
}

// Clears the address's bits from the end, length by length of those that are there.
const Node* bestPrefix(const Node& node, const net::Address& address) {
  char key[kIpBytesMax + 1];
  const absl::string_view ip = ipOf(address);
  std::memcpy(key, ip.data(), ip.size());
  size_t cleared_from = ip.size() * 8;
  for (const uint8_t bits : node.prefix_bits) {
    while (cleared_from > bits) {
      cleared_from--;
      key[cleared_from / 8] &= static_cast<char>(~(0x80 >> cleared_from % 8));
    }
    key[ip.size()] = static_cast<char>(bits);
    const Node* const child = node.child({key, ip.size() + 1});
    if (child != nullptr) {
      return child;
    }
  }
  return nullptr;
}

// The name itself, then what covers it: "*.b.c" before "*.c" for "a.b.c".
const Node* bestName(const Node& node, const ChainQuery& query) {
  if (query.server_name.empty()) {
    return nullptr;
  }
  std::string name = absl::AsciiStrToLower(query.server_name);
  const Node* child = node.child(name);
  for (size_t dot = name.find('.', 1); child == nullptr && dot != std::string::npos;
       dot = name.find('.', dot + 1)) {
    name[dot - 1] = '*';
    child = node.child(absl::string_view(name).substr(dot - 1));
  }
  return child;
}

const Node* bestTransport(const Node& node, const ChainQuery& query) {
  return query.transport_protocol.empty() ? nullptr : node.child(query.transport_protocol);
}

// The first protocol that the client offers and a chain names decides.
const Node* bestProtocol(const Node& node, const ChainQuery& query) {
  for (const std::string& offered : query.application_protocols) {
    const Node* const child = offered.empty() ? nullptr : node.child(offered);
    if (child != nullptr) {
      return child;
    }
  }
  return nullptr;
}

// A peer inside the process counts as external: it stands for one outside.
bool isLocal(const ChainQuery& query) {
  if (query.source.kind() == net::Address::Kind::kInternal) {
    return false;
  }
  static constexpr char kV4[] = {127, 0, 0, 1};
  static constexpr char kV6[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const absl::string_view source = query.source.ipBytes();
  return source == query.destination.ipBytes() || source == absl::string_view(kV4, sizeof(kV4)) ||
         source == absl::string_view(kV6, sizeof(kV6));
}

Values sourceTypeKeys(const FilterChainMatch& match) {
  switch (match.source_type) {
  case SourceType::kAny:
    return {};
  case SourceType::kSameIpOrLoopback:
    return {"local"};
  case SourceType::kExternal:
    return {"external"};
  }
  return {};
}

Values sourcePortKeys(const FilterChainMatch& match) {
  Values keys;
  for (const uint16_t& port : match.source_ports) {
    keys.emplace_back(portKey(port));
  }
  return keys;
}

// In the order in which the criteria are consulted.
constexpr Criterion kCriteria[] = {
    {[](const FilterChainMatch& m) {
       return m.destination_port ? Values{std::string(portKey(*m.destination_port))} : Values{};
     },
     [](const Node& n, const ChainQuery& q) {
       const uint16_t port = q.destination.port();
       return n.child(portKey(port));
     }},
    {[](const FilterChainMatch& m) { return prefixKeys(m.prefix_ranges); },
     [](const Node& n, const ChainQuery& q) { return bestPrefix(n, q.destination); }, true},
    {[](const FilterChainMatch& m) { return m.server_names; }, bestName},
    {[](const FilterChainMatch& m) {
       return m.transport_protocol.empty() ? Values{} : Values{m.transport_protocol};
     },
     bestTransport},
    {[](const FilterChainMatch& m) { return m.application_protocols; }, bestProtocol},
    {[](const FilterChainMatch& m) { return prefixKeys(m.direct_source_prefix_ranges); },
     [](const Node& n, const ChainQuery& q) { return bestPrefix(n, q.direct_source); }, true},
    {sourceTypeKeys,
     [](const Node& n, const ChainQuery& q) { return n.child(isLocal(q) ? "local" : "external"); }},
    {[](const FilterChainMatch& m) { return prefixKeys(m.source_prefix_ranges); },
     [](const Node& n, const ChainQuery& q) { return bestPrefix(n, q.source); }, true},
    {sourcePortKeys,
     [](const Node& n, const ChainQuery& q) {
       const uint16_t port = q.source.port();
       return n.child(portKey(port));
     }},
};

absl::Status checkNames(const FilterChain& chain) {
  for (const std::string& name : chain.match.server_names) {
    const bool wildcard = absl::StartsWith(name, "*.");
    if (absl::StrContains(wildcard ? name.substr(2) : name, '*')) {
      return absl::InvalidArgumentError("partial wildcards are not supported in \"server_names\"");
    }
  }
  return absl::OkStatus();
}

// Whether two chains are written the same; those that only overlap meet in the tree.
absl::Status checkTwins(const FilterChain& chain,
                        absl::flat_hash_map<absl::string_view, const FilterChain*>& seen) {
  const auto [twin, is_new] = seen.emplace(chain.match_text, &chain);
  if (is_new) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("filter chain '", chain.name, "' has the same matching rules defined as '",
                   twin->second->name, "'. duplicate matcher is: ", chain.match_text));
}

void addPrefixBits(Node& node, const std::string& key) {
  std::vector<uint8_t>& all = node.prefix_bits;
  const auto bits = static_cast<uint8_t>(key.back());
  const auto at = std::lower_bound(all.begin(), all.end(), bits, std::greater<>());
  if (at == all.end() || *at != bits) {
    all.insert(at, bits);
  }
}

} // namespace

absl::StatusOr<std::unique_ptr<const FilterChainMatcher>>
FilterChainMatcher::create(std::vector<FilterChainPtr> chains, FilterChainPtr default_chain) {
  std::unique_ptr<FilterChainMatcher> matcher(
      new FilterChainMatcher(std::move(chains), std::move(default_chain)));
  absl::flat_hash_map<absl::string_view, const FilterChain*> seen;
  for (size_t i = 0; i < matcher->chains_.size(); i++) {
    const FilterChain& chain = *matcher->chains_[i];
    absl::Status status = checkTwins(chain, seen);
    status.Update(checkNames(chain));
    if (status.ok()) {
      status = matcher->insert(*matcher->root_, 0, chain);
    }
    if (!status.ok()) {
      return absl::Status(status.code(),
                          absl::StrCat("filter_chains[", i, "]: ", status.message()));
    }
  }
  return std::unique_ptr<const FilterChainMatcher>(std::move(matcher));
}

FilterChainMatcher::FilterChainMatcher(std::vector<FilterChainPtr> chains,
                                       FilterChainPtr default_chain)
    : chains_(std::move(chains)), default_chain_(std::move(default_chain)),
      root_(std::make_unique<Node>()) {
  for (const Criterion& criterion : kCriteria) {
    const bool used = std::any_of(chains_.begin(), chains_.end(), [&](const FilterChainPtr& chain) {
      return !criterion.values(chain->match).empty();
    });
    if (used) {
      levels_.push_back(&criterion);
    }
  }
}

FilterChainMatcher::~FilterChainMatcher() = default;

absl::Status FilterChainMatcher::insert(Node& node, size_t level, const FilterChain& chain) {
  if (level == levels_.size()) {
    if (std::exchange(node.chain, &chain) != nullptr) {
      return absl::InvalidArgumentError(
          "multiple filter chains with overlapping matching rules are defined");
    }
    return absl::OkStatus();
  }
  Values values = levels_[level]->values(chain.match);
  if (values.empty()) {
    values.emplace_back();
  }
  for (const std::string& value : values) {
    std::unique_ptr<Node>& child = node.children[value];
    if (child == nullptr) {
      child = std::make_unique<Node>();
    }
    if (levels_[level]->of_prefixes && !value.empty()) {
      addPrefixBits(node, value);
    }
    if (absl::Status status = insert(*child, level + 1, chain); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

const FilterChain* FilterChainMatcher::find(const ChainQuery& query) const {
  const Node* node = root_.get();
  for (const Criterion* level : levels_) {
    const Node* const best = level->best(*node, query);
    node = best != nullptr ? best : node->child("");
    if (node == nullptr) {
      return default_chain_.get();
    }
  }
  return node->chain != nullptr ? node->chain : default_chain_.get();
}

} // namespace culvert::server
