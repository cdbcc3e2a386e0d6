// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "source/match/string_match.h"

namespace culvert::tls {

enum class SanType : uint8_t { kDns, kUri, kEmail, kIp };

// Decides whether a subject alternative name is one that was asked for (envoy-compat A.6).
// Threads: any, once created.
class SanMatcher {
public:
  // `exact` is the text of a `text` that matches nothing else: such a DNS name is also matched by a
  // wildcard in the certificate.
  SanMatcher(SanType type, match::StringMatch text, std::optional<std::string> exact = {})
      : type_(type), text_(std::move(text)), exact_(std::move(exact)) {}

  // `san` is what a peer says: any bytes.
  bool matches(SanType type, absl::string_view san) const;

private:
  SanType type_;
  match::StringMatch text_;
  std::optional<std::string> exact_;
};

// Whether `pattern`, a DNS name of a certificate, covers `name`: the same but for case, or with one
// `*` in its first label, which stands for at least one character and for no dot (RFC 6125).
bool dnsNameCovers(absl::string_view pattern, absl::string_view name);

} // namespace culvert::tls
