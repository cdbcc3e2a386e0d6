// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/identity.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace culvert::mesh {
namespace {

// Up to the next slash, which goes too. Nothing if there is none.
std::optional<absl::string_view> nextPart(absl::string_view& rest) {
  const size_t slash = rest.find('/');
  if (slash == absl::string_view::npos) {
    return std::nullopt;
  }
  const absl::string_view part = rest.substr(0, slash);
  rest.remove_prefix(slash + 1);
  return part;
}

} // namespace

std::optional<Identity> Identity::parse(absl::string_view text) {
  if (!absl::ConsumePrefix(&text, "spiffe://")) {
    return std::nullopt;
  }
  const auto trust_domain = nextPart(text);
  if (!trust_domain.has_value() || nextPart(text) != "ns") {
    return std::nullopt;
  }
  const auto ns = nextPart(text);
  if (!ns.has_value() || nextPart(text) != "sa" || text.find('/') != absl::string_view::npos) {
    return std::nullopt;
  }
  return Identity{Text::copy(*trust_domain), Text::copy(*ns), Text::copy(text)};
}

std::string Identity::toString() const { return absl::StrCat("spiffe://", principal()); }

std::string Identity::principal() const {
  return absl::StrCat(trust_domain.view(), "/ns/", ns.view(), "/sa/", service_account.view());
}

std::optional<Identity> firstIdentity(absl::Span<const std::string> uri_names) {
  for (const std::string& name : uri_names) {
    if (auto identity = Identity::parse(name); identity.has_value()) {
      return identity;
    }
  }
  return std::nullopt;
}

bool isExpected(absl::Span<const std::string> uri_names, absl::Span<const Identity> expected) {
  return std::any_of(uri_names.begin(), uri_names.end(), [&](const std::string& name) {
    const auto identity = Identity::parse(name);
    return identity.has_value() &&
           std::find(expected.begin(), expected.end(), *identity) != expected.end();
  });
}

bool isOfTrustDomain(absl::Span<const std::string> uri_names, absl::string_view trust_domain) {
  return std::any_of(uri_names.begin(), uri_names.end(), [&](const std::string& name) {
    const auto identity = Identity::parse(name);
    return identity.has_value() && identity->trust_domain == trust_domain;
  });
}

} // namespace culvert::mesh
