// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/tls/config.h"
#include "source/tls/internal/openssl.h"
#include "source/tls/internal/revocation_lists.h"
#include "source/tls/stats.h"

namespace culvert::tls::internal {

// Decides whether a peer's certificate is accepted, in Envoy's order: the chain up to a trusted
// root, then names, then digests. Threads: made on main, then any.
class Verifier {
public:
  struct Verdict {
    bool accepted;
    bool validated;     // Also what was only let pass is accepted.
    std::string detail; // Why it was not accepted, in Envoy's words.
  };

  // Puts the trusted roots into `context`. Errors: begin with the config's path.
  static absl::StatusOr<std::unique_ptr<const Verifier>>
  create(const std::optional<ValidationConfig>& config, SSL_CTX& context, Stats& stats);

  // Whether there is anything to verify.
  bool asksForCertificate() const;
  Revocations* revocations() const { return config_.revocations.get(); }
  // Whether there is something that no connection without a certificate can pass.
  bool requiresCertificate() const;
  // Sets the error of `chain`, which chooses the alert.
  // `server_name` is what a client asked for.
  Verdict verify(X509_STORE_CTX& chain, absl::string_view server_name) const;
  // Of a certificate that is accepted otherwise: it must have one of `wanted` as a URI.
  Verdict verifyUris(X509_STORE_CTX& chain, const std::vector<std::string>& wanted) const;

private:
  Verifier(const std::optional<ValidationConfig>& config, Stats& stats)
      : config_(config.value_or(ValidationConfig())), stats_(stats) {}
  absl::Status loadRoots(SSL_CTX& context) const;
  absl::Status loadCrl(X509_STORE& store) const;
  absl::Status checkNeedsRoots() const;
  RevocationLists::Verdict checkChain(X509_STORE_CTX& chain) const;
  Verdict verifyLeaf(X509& leaf, absl::string_view server_name) const;
  bool namesMatch(X509& leaf, absl::string_view server_name) const;
  bool digestsMatch(X509& leaf) const;

  const ValidationConfig config_;
  Stats& stats_;
};

} // namespace culvert::tls::internal
