// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/net/tls_info.h"
#include "source/tls/internal/openssl.h"

namespace culvert::tls {
class Context;
}

namespace culvert::tls::internal {

// The library's state of one connection, with what it says of it. Shared so that a log can be
// written when the transport is gone.
// Threads: the connection's loop.
class Session final : public net::TlsInfo {
public:
  Session(SslPtr ssl, std::shared_ptr<const Context> context);

  // Of the library's callbacks.
  static Session& of(const SSL* ssl);

  SSL* ssl() const { return ssl_.get(); }
  const Context& context() const { return *context_; }

  void onHandshakeDone();

  // Of which the peer's certificate must have one as a URI; null: it need not.
  std::shared_ptr<const std::vector<std::string>> wanted;
  // Why the peer's certificate was not accepted.
  std::string verify_detail;
  bool validated = false;
  bool revoked = false; // It, or who vouches for it, since the handshake.
  // What the peer sent, its own certificate first, when that was not accepted.
  ChainPtr refused;

  net::TlsFacts facts() const override;
  const net::CertificateFacts* peer() const override;
  std::vector<net::CertificateFacts> peerChain() const override;
  const net::CertificateFacts* peerIssuer() const override;
  const net::CertificateFacts* local() const override;
  bool peerCertificateValidated() const override { return validated; }
  bool peerRevoked() const override { return revoked; }

private:
  using Kept = std::unique_ptr<const net::CertificateFacts>;
  X509* peerLeaf() const;
  static const net::CertificateFacts* keep(Kept& kept, X509* certificate);

  const std::shared_ptr<const Context> context_; // Outlives the library's state.
  const SslPtr ssl_;
  mutable Kept peer_;
  mutable Kept issuer_;
  mutable Kept local_;
};

// "X25519", "P-256"; empty when there is none.
std::string groupName(SSL* ssl);
// What the peer signed with: "ecdsa_secp256r1_sha256"; empty when it signed nothing.
std::string signatureName(SSL* ssl);

} // namespace culvert::tls::internal
