// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/base/field_error.h"
#include "source/tls/config.h"
#include "source/tls/internal/openssl.h"

namespace culvert::tls::internal {

using base::errorAt;

// A certificate with its key, ready for use.
struct Credential {
  X509Ptr leaf;
  PkeyPtr key;
  ChainPtr chain;                 // Without the leaf.
  std::vector<std::string> names; // DNS names that it is for.
};

// Errors: begin with the config's path, and end in Envoy's sentence.
absl::StatusOr<Credential> loadCredential(const CertificateConfig& config);

// Versions, cipher suites, groups, signature algorithms; the defaults are Envoy's.
absl::Status applyParams(const Params& params, bool server, SSL_CTX& context);

// Protocols as the extension has them: each behind a byte with its length.
absl::StatusOr<std::string> alpnList(const std::vector<std::string>& protocols);

} // namespace culvert::tls::internal
