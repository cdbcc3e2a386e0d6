// SPDX-License-Identifier: Apache-2.0
#include "source/tls/internal/session.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "source/tls/context.h"
#include "source/tls/internal/certificate.h"

namespace culvert::tls::internal {
namespace {

std::string sessionId(SSL* ssl) {
  const SSL_SESSION* const session = SSL_get0_session(ssl);
  if (session == nullptr || SSL_version(ssl) >= TLS1_3_VERSION) {
    return {}; // Of TLS 1.3 they mean nothing.
  }
  unsigned int length = 0;
  const unsigned char* const id = SSL_SESSION_get_id(session, &length);
  return absl::BytesToHexString({reinterpret_cast<const char*>(id), length});
}

} // namespace

Session::Session(SslPtr ssl, std::shared_ptr<const Context> context)
    : context_(std::move(context)), ssl_(std::move(ssl)) {
  SSL_set_app_data(ssl_.get(), this);
}

Session& Session::of(const SSL* ssl) { return *static_cast<Session*>(SSL_get_app_data(ssl)); }

// A session that is resumed was verified when it was made, by the same rules.
void Session::onHandshakeDone() {
  if (SSL_session_reused(ssl_.get()) == 1) {
    validated = context_->verifiesPeers() && SSL_get0_peer_certificate(ssl_.get()) != nullptr &&
                SSL_get_verify_result(ssl_.get()) == X509_V_OK;
  }
  context_->countHandshake(ssl_.get());
}

net::TlsFacts Session::facts() const {
  net::TlsFacts facts;
  SSL* const ssl = ssl_.get();
  facts.version = SSL_get_version(ssl);
  const SSL_CIPHER* const cipher = SSL_get_current_cipher(ssl);
  if (cipher != nullptr || SSL_get_pending_cipher(ssl) != nullptr) { // Agreed on, not yet in use.
    facts.cipher = SSL_CIPHER_get_name(cipher == nullptr ? SSL_get_pending_cipher(ssl) : cipher);
  }
  facts.group = groupName(ssl);
  facts.session_id = sessionId(ssl);
  if (const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) {
    facts.server_name = name;
  }
  const unsigned char* protocol = nullptr;
  unsigned int length = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &length);
  facts.protocol.assign(reinterpret_cast<const char*>(protocol), length);
  return facts;
}

const net::CertificateFacts* Session::keep(Kept& kept, X509* certificate) {
  if (kept == nullptr && certificate != nullptr) {
    kept = std::make_unique<const net::CertificateFacts>(factsOf(certificate));
  }
  return kept.get();
}

X509* Session::peerLeaf() const {
  return refused == nullptr ? SSL_get0_peer_certificate(ssl_.get())
                            : sk_X509_value(refused.get(), 0);
}

const net::CertificateFacts* Session::peer() const { return keep(peer_, peerLeaf()); }

std::vector<net::CertificateFacts> Session::peerChain() const {
  std::vector<net::CertificateFacts> facts;
  const STACK_OF(X509)* const chain =
      refused == nullptr ? SSL_get_peer_full_cert_chain(ssl_.get()) : refused.get();
  for (size_t i = 0; i < sk_X509_num(chain); i++) {
    facts.push_back(factsOf(sk_X509_value(chain, i)));
  }
  return facts;
}

const net::CertificateFacts* Session::peerIssuer() const {
  const STACK_OF(X509)* const chain = SSL_get0_verified_chain(ssl_.get());
  return keep(issuer_, validated && sk_X509_num(chain) > 1 ? sk_X509_value(chain, 1) : nullptr);
}

const net::CertificateFacts* Session::local() const {
  return keep(local_, SSL_get_certificate(ssl_.get()));
}

std::string groupName(SSL* ssl) {
  const uint16_t group = SSL_get_curve_id(ssl);
  const char* const name = group == 0 ? nullptr : SSL_get_curve_name(group);
  return name == nullptr ? std::string() : name;
}

std::string signatureName(SSL* ssl) {
  const uint16_t algorithm = SSL_get_peer_signature_algorithm(ssl);
  const char* const name =
      algorithm == 0 ? nullptr : SSL_get_signature_algorithm_name(algorithm, /*include_curve=*/1);
  return name == nullptr ? std::string() : name;
}

} // namespace culvert::tls::internal
