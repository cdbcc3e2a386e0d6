// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "source/mesh/text.h"

namespace culvert::mesh {

// Who a workload is: spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT (mesh-data-plane 2.8).
// Threads: any.
struct Identity {
  Text trust_domain;
  Text ns;
  Text service_account;

  // Nothing unless there are exactly the five parts, which may be empty.
  static std::optional<Identity> parse(absl::string_view text);
  std::string toString() const;
  // Without the scheme, as policies name it.
  std::string principal() const;

  friend bool operator==(const Identity& a, const Identity& b) {
    return a.trust_domain == b.trust_domain && a.ns == b.ns &&
           a.service_account == b.service_account;
  }
  template <typename H> friend H AbslHashValue(H h, const Identity& identity) {
    return H::combine(std::move(h), identity.trust_domain, identity.ns, identity.service_account);
  }
};

// Of the URI names of a certificate the first that is an identity: who the peer is to policies.
std::optional<Identity> firstIdentity(absl::Span<const std::string> uri_names);

// Whether a server with these URI names is one of those expected. Nobody is, if none is expected.
bool isExpected(absl::Span<const std::string> uri_names, absl::Span<const Identity> expected);

// Whether a client with these URI names is of `trust_domain`.
bool isOfTrustDomain(absl::Span<const std::string> uri_names, absl::string_view trust_domain);

} // namespace culvert::mesh
