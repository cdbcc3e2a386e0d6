// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "source/mesh/ip.h"
#include "source/mesh/ref.h"
#include "source/mesh/text.h"

namespace culvert::mesh {

// A condition on a text. Threads: any.
struct TextMatch {
  enum class Kind : uint8_t { kExact, kPrefix, kSuffix, kPresence };
  Kind kind = Kind::kExact;
  Text text;

  bool matches(absl::string_view value) const;
  friend bool operator==(const TextMatch&, const TextMatch&) = default;
};

struct ServiceAccountMatch {
  Text ns;
  Text service_account;

  friend bool operator==(const ServiceAccountMatch&, const ServiceAccountMatch&) = default;
};

// What is looked at. The type of a test's values follows from it, in this order: texts, texts,
// service accounts, blocks, blocks, ports.
enum class Attribute : uint8_t {
  kNamespace,
  kPrincipal,
  kServiceAccount,
  kSourceIp,
  kDestinationIp,
  kDestinationPort,
};

// One of the twelve lists of a match that is not empty: any of its values is to match, or, if it is
// negated, none.
struct AttributeTest {
  using Values = std::variant<std::vector<TextMatch>, std::vector<ServiceAccountMatch>,
                              std::vector<IpBlock>, std::vector<uint16_t>>;
  Attribute attribute = Attribute::kNamespace;
  bool negated = false;
  Values values;

  friend bool operator==(const AttributeTest&, const AttributeTest&) = default;
};

using PolicyMatch = std::vector<AttributeTest>; // All of them; without any it never matches.
using PolicyClause = std::vector<PolicyMatch>;  // Any of them; without any it matches.
using PolicyRule = std::vector<PolicyClause>;   // All of them; without any it matches.

// Who may connect: istio.security.Authorization (mesh-data-plane 5.1).
// Threads: made on main, then any.
struct Policy : Counted<Policy> {
  enum class Scope : uint8_t { kGlobal, kNamespace, kWorkloadSelector };
  enum class Action : uint8_t { kAllow, kDeny };

  Text key; // What the control plane calls it; of a file "namespace/name".
  Text name;
  Text ns;
  Scope scope = Scope::kGlobal;
  Action action = Action::kAllow;
  bool dry_run = false;
  std::vector<PolicyRule> rules; // Any of them; without any it never matches.

  std::string toString() const; // "namespace/name", as verdicts and logs say it.

  friend bool operator==(const Policy& a, const Policy& b);
};

using PolicyRef = Ref<const Policy>;

} // namespace culvert::mesh
