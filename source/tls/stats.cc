// SPDX-License-Identifier: Apache-2.0
#include "source/tls/stats.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace culvert::tls {
namespace {

constexpr absl::string_view kVersions[] = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
constexpr absl::string_view kCurves[] = {"P-256",
                                         "P-384",
                                         "P-521",
                                         "X25519",
                                         "X448",
                                         "X25519MLKEM768",
                                         "SecP256r1MLKEM768",
                                         "SecP384r1MLKEM1024",
                                         "MLKEM1024"};
constexpr absl::string_view kCiphers[] = {"TLS_AES_128_GCM_SHA256",
                                          "TLS_AES_256_GCM_SHA384",
                                          "TLS_CHACHA20_POLY1305_SHA256",
                                          "ECDHE-ECDSA-AES128-GCM-SHA256",
                                          "ECDHE-ECDSA-AES256-GCM-SHA384",
                                          "ECDHE-ECDSA-CHACHA20-POLY1305",
                                          "ECDHE-RSA-AES128-GCM-SHA256",
                                          "ECDHE-RSA-AES256-GCM-SHA384",
                                          "ECDHE-RSA-CHACHA20-POLY1305",
                                          "ECDHE-ECDSA-AES128-SHA",
                                          "ECDHE-ECDSA-AES256-SHA",
                                          "ECDHE-ECDSA-AES128-SHA256",
                                          "ECDHE-ECDSA-AES256-SHA384",
                                          "ECDHE-RSA-AES128-SHA",
                                          "ECDHE-RSA-AES256-SHA",
                                          "ECDHE-RSA-AES128-SHA256",
                                          "ECDHE-RSA-AES256-SHA384",
                                          "AES128-GCM-SHA256",
                                          "AES256-GCM-SHA384",
                                          "AES128-SHA",
                                          "AES256-SHA",
                                          "AES128-SHA256",
                                          "AES256-SHA256",
                                          "DHE-RSA-AES128-GCM-SHA256",
                                          "DHE-RSA-AES256-GCM-SHA384",
                                          "DHE-RSA-CHACHA20-POLY1305"};
constexpr absl::string_view kSignatures[] = {"rsa_pkcs1_sha1",
                                             "rsa_pkcs1_sha256",
                                             "rsa_pkcs1_sha384",
                                             "rsa_pkcs1_sha512",
                                             "ecdsa_sha1",
                                             "ecdsa_secp256r1_sha256",
                                             "ecdsa_secp384r1_sha384",
                                             "ecdsa_secp521r1_sha512",
                                             "rsa_pss_rsae_sha256",
                                             "rsa_pss_rsae_sha384",
                                             "rsa_pss_rsae_sha512",
                                             "ed25519",
                                             "ed448"};

} // namespace

std::shared_ptr<Stats> Stats::create(event::Loop& main, stats::Scope& scope,
                                     absl::string_view side) {
  return std::shared_ptr<Stats>(new Stats(main, scope.scope(""), side), [&main](Stats* last) {
    const std::shared_ptr<Stats> owned(last);
    if (!main.isCurrent()) {
      main.post([owned] { static_cast<void>(owned); });
    }
  });
}

Stats::Stats(event::Loop& main, std::unique_ptr<stats::Scope> scope, absl::string_view side)
    : main_(main), scope_(std::move(scope)), handshake(scope_->counter("ssl.handshake")),
      connection_error(scope_->counter("ssl.connection_error")),
      session_reused(scope_->counter("ssl.session_reused")),
      no_certificate(scope_->counter("ssl.no_certificate")),
      fail_verify_no_cert(scope_->counter("ssl.fail_verify_no_cert")),
      fail_verify_error(scope_->counter("ssl.fail_verify_error")),
      fail_verify_san(scope_->counter("ssl.fail_verify_san")),
      fail_verify_cert_hash(scope_->counter("ssl.fail_verify_cert_hash")),
      ocsp_staple_failed(scope_->counter("ssl.ocsp_staple_failed")),
      ocsp_staple_omitted(scope_->counter("ssl.ocsp_staple_omitted")),
      ocsp_staple_responses(scope_->counter("ssl.ocsp_staple_responses")),
      ocsp_staple_requests(scope_->counter("ssl.ocsp_staple_requests")),
      ssl_context_update_by_sds(
          scope_->counter(absl::StrCat(side, "_ssl_socket_factory.ssl_context_update_by_sds"))),
      upstream_context_secrets_not_ready(scope_->counter(
          absl::StrCat(side, "_ssl_socket_factory.upstream_context_secrets_not_ready"))),
      downstream_context_secrets_not_ready(scope_->counter(
          absl::StrCat(side, "_ssl_socket_factory.downstream_context_secrets_not_ready"))) {
  addNamed("versions", kVersions);
  addNamed("ciphers", kCiphers);
  addNamed("curves", kCurves);
  addNamed("sigalgs", kSignatures);
}

void Stats::addNamed(absl::string_view kind, absl::Span<const absl::string_view> names) {
  for (const absl::string_view name : names) {
    auto named = std::make_unique<Named>();
    named->name = absl::StrCat("ssl.", kind, ".", name);
    named_.emplace(absl::StrCat(kind, ".", name), std::move(named));
  }
}

void Stats::countNamed(absl::string_view kind, absl::string_view name) {
  const auto it = named_.find(absl::StrCat(kind, ".", name));
  if (it == named_.end()) {
    return;
  }
  Named& named = *it->second;
  if (stats::Counter* counter = named.counter.load(std::memory_order_acquire)) {
    counter->add();
    return;
  }
  named.early.fetch_add(1);
  if (!named.asked.exchange(true)) {
    main_.post([self = shared_from_this(), &named] { self->make(named); });
  } else if (stats::Counter* counter = named.counter.load()) { // It came between the two looks.
    counter->add(named.early.exchange(0));
  }
}

void Stats::make(Named& named) {
  stats::Counter& counter = scope_->counter(named.name);
  named.counter.store(&counter);
  counter.add(named.early.exchange(0));
}

void Stats::setExpiration(const std::string& certificate, int64_t unix_seconds) {
  scope_->gauge(absl::StrCat("ssl.certificate.", certificate, ".expiration_unix_time_seconds"))
      .set(static_cast<uint64_t>(unix_seconds));
}

} // namespace culvert::tls
