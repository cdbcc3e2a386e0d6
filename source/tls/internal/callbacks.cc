// SPDX-License-Identifier: Apache-2.0
#include "source/tls/internal/callbacks.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "source/tls/internal/load.h"
#include "source/tls/internal/session.h"
#include "source/tls/internal/verifier.h"
#include "source/tls/revocations.h"
#include "source/tls/san_matcher.h"

namespace culvert::tls {
namespace {

using internal::Credential;
using internal::Session;

bool isFor(const Credential& credential, absl::string_view name) {
  return std::any_of(credential.names.begin(), credential.names.end(),
                     [&](const std::string& own) { return dnsNameCovers(own, name); });
}

bool sameKind(const Credential& a, const Credential& b) {
  return EVP_PKEY_id(a.key.get()) == EVP_PKEY_id(b.key.get());
}

// The first of each kind of key that passes; the library then chooses by what the peer can do.
template <class Passes>
std::vector<const Credential*> firstOfEachKind(const std::vector<Credential>& all, Passes passes) {
  std::vector<const Credential*> chosen;
  for (const Credential& one : all) {
    const bool has_kind = std::any_of(chosen.begin(), chosen.end(), [&](const Credential* other) {
      return sameKind(one, *other);
    });
    if (!has_kind && passes(one)) {
      chosen.push_back(&one);
    }
  }
  return chosen;
}

} // namespace

int Callbacks::verify(X509_STORE_CTX* chain, void* context) {
  const auto* const ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const auto& self = *static_cast<const Context*>(context);
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  internal::Verifier::Verdict verdict = self.verifier_->verify(*chain, name == nullptr ? "" : name);
  Session& session = Session::of(ssl);
  if (verdict.accepted && session.wanted != nullptr) {
    verdict = self.verifier_->verifyUris(*chain, *session.wanted);
  }
  if (!verdict.accepted) { // The library forgets it, and the log is to say who it was.
    session.refused.reset(X509_chain_up_ref(X509_STORE_CTX_get0_untrusted(chain)));
    if (self.revocations() != nullptr &&
        X509_STORE_CTX_get_error(chain) == X509_V_ERR_CERT_REVOKED) {
      self.revocations()->countRejection(SSL_is_server(ssl) == 1);
    }
  }
  session.validated = verdict.validated;
  session.verify_detail = std::move(verdict.detail);
  return verdict.accepted ? 1 : 0;
}

// The first of ours that the client offers; none in common is no fault, unless it is made one.
int Callbacks::selectProtocol(SSL*, const unsigned char** out, unsigned char* out_length,
                              const unsigned char* offered, unsigned int offered_length,
                              void* context) {
  const auto& self = *static_cast<const Context*>(context);
  const std::string& ours = self.alpn_;
  const int found =
      SSL_select_next_proto(const_cast<unsigned char**>(out), out_length,
                            reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned int>(ours.size()), offered, offered_length);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK
         : self.require_protocol_        ? SSL_TLSEXT_ERR_ALERT_FATAL
                                         : SSL_TLSEXT_ERR_NOACK;
}

int Callbacks::selectCertificate(SSL* ssl, void* context) {
  const std::vector<Credential>& all = static_cast<const Context*>(context)->credentials_;
  const char* const asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  const std::string name = absl::AsciiStrToLower(asked == nullptr ? "" : asked);
  const auto exact = [&](const Credential& one) {
    return std::find(one.names.begin(), one.names.end(), name) != one.names.end();
  };
  auto chosen = firstOfEachKind(all, exact);
  if (chosen.empty()) {
    chosen = firstOfEachKind(all, [&](const Credential& one) { return isFor(one, name); });
  }
  if (chosen.empty()) {
    chosen = firstOfEachKind(all, [](const Credential&) { return true; });
  }
  for (const Credential* one : chosen) {
    SSL_use_cert_and_key(ssl, one->leaf.get(), one->key.get(), one->chain.get(), 1);
  }
  return 1;
}

int Callbacks::onSession(SSL* ssl, SSL_SESSION* session) {
  Session::of(ssl).context().keepSession(ssl, session);
  return 1; // It is ours now.
}

void Callbacks::logKey(const SSL* ssl, const char* line) {
  const std::string text = absl::StrCat(line, "\n");
  const int fd = Session::of(ssl).context().key_log_fd_;
  if (::write(fd, text.data(), text.size()) < 0) {
    return; // A full disk must not end connections.
  }
}

} // namespace culvert::tls
