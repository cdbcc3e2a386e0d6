// SPDX-License-Identifier: Apache-2.0
#include "source/tls/internal/verifier.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "source/tls/internal/certificate.h"
#include "source/tls/internal/load.h"
#include "source/tls/internal/revocation_lists.h"
#include "source/tls/revocations.h"

namespace culvert::tls::internal {
namespace {

// An error that the library answers with the alert certificate_unknown.
constexpr int kUnknownError = X509_V_ERR_PERMITTED_VIOLATION;

bool hasDigest(const std::vector<Sha256>& digests, const Sha256& digest) {
  return std::find(digests.begin(), digests.end(), digest) != digests.end();
}

} // namespace

absl::StatusOr<std::unique_ptr<const Verifier>>
Verifier::create(const std::optional<ValidationConfig>& config, SSL_CTX& context, Stats& stats) {
  std::unique_ptr<const Verifier> verifier(new Verifier(config, stats));
  absl::Status status = verifier->loadRoots(context);
  if (!status.ok()) {
    return status;
  }
  return verifier;
}

bool Verifier::asksForCertificate() const {
  return config_.trusted_ca.has_value() || config_.system_roots ||
         !config_.certificate_hashes.empty() || !config_.key_hashes.empty();
}

bool Verifier::requiresCertificate() const {
  return !config_.accept_untrusted &&
         (!config_.sans.empty() || !config_.certificate_hashes.empty() ||
          !config_.key_hashes.empty());
}

absl::Status Verifier::loadRoots(SSL_CTX& context) const {
  X509_STORE* const store = SSL_CTX_get_cert_store(&context);
  if (config_.system_roots) {
    SSL_CTX_set_default_verify_paths(&context);
  } else if (!config_.trusted_ca) {
    return checkNeedsRoots();
  }
  unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
  if (config_.trusted_ca) {
    const InfosPtr infos = readPem(config_.trusted_ca->text);
    int roots = 0;
    for (size_t i = 0; i < sk_X509_INFO_num(infos.get()); i++) {
      const X509_INFO* const info = sk_X509_INFO_value(infos.get(), i);
      if (info->x509 != nullptr) {
        X509_check_purpose(info->x509, -1, 0); // Reads its extensions now, not on the workers.
        X509_STORE_add_cert(store, info->x509);
        if (!config_.suppress_client_ca_list) {
          SSL_CTX_add_client_CA(&context, info->x509);
        }
        roots++;
      }
      if (info->crl != nullptr) {
        X509_STORE_add_crl(store, info->crl);
        flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
      }
    }
    if (roots == 0) {
      return errorAt(
          absl::StrCat(config_.path, ".trusted_ca"),
          absl::StrCat("Failed to load trusted CA certificates from ", config_.trusted_ca->name));
    }
  }
  if (config_.crl) {
    flags |= X509_V_FLAG_CRL_CHECK | (config_.only_leaf_crl ? 0 : X509_V_FLAG_CRL_CHECK_ALL);
  }
  flags |= config_.allow_expired ? X509_V_FLAG_NO_CHECK_TIME : 0;
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(&context), flags);
  X509_VERIFY_PARAM_set_depth(SSL_CTX_get0_param(&context), static_cast<int>(config_.max_depth));
  return config_.crl ? loadCrl(*store) : absl::OkStatus();
}

absl::Status Verifier::loadCrl(X509_STORE& store) const {
  const InfosPtr infos = readPem(config_.crl->text);
  int lists = 0;
  for (size_t i = 0; i < sk_X509_INFO_num(infos.get()); i++) {
    if (X509_CRL* const crl = sk_X509_INFO_value(infos.get(), i)->crl) {
      X509_STORE_add_crl(&store, crl);
      lists++;
    }
  }
  return lists > 0 ? absl::OkStatus()
                   : errorAt(absl::StrCat(config_.path, ".crl"),
                             absl::StrCat("Failed to load CRL from ", config_.crl->name));
}

absl::Status Verifier::checkNeedsRoots() const {
  if (config_.crl) {
    return errorAt(
        absl::StrCat(config_.path, ".crl"),
        absl::StrCat("Failed to load CRL from ", config_.crl->name, " without trusted CA"));
  }
  if (!config_.sans.empty() || config_.match_server_name) {
    return errorAt(absl::StrCat(config_.path, ".match_typed_subject_alt_names"),
                   "SAN-based verification of peer certificates without trusted CA is insecure "
                   "and not allowed");
  }
  if (config_.allow_expired) {
    return errorAt(absl::StrCat(config_.path, ".allow_expired_certificate"),
                   "Certificate validity period is always ignored without trusted CA");
  }
  return absl::OkStatus();
}

Verifier::Verdict Verifier::verify(X509_STORE_CTX& chain, absl::string_view server_name) const {
  bool trusted = true;
  if (config_.trusted_ca || config_.system_roots) {
    const auto [error, depth] = checkChain(chain);
    trusted = error == X509_V_OK;
    if (!trusted) {
      stats_.fail_verify_error.add();
      if (!config_.accept_untrusted) {
        X509_STORE_CTX_set_error(&chain, error);
        return {false, false,
                absl::StrCat("verify cert failed: X509_verify_cert: certificate verification "
                             "error at depth ",
                             depth, ": ", X509_verify_cert_error_string(error))};
      }
    }
  }
  X509* const leaf = X509_STORE_CTX_get0_cert(&chain);
  Verdict verdict = verifyLeaf(*leaf, server_name);
  verdict.validated = verdict.accepted && trusted && asksForCertificate();
  verdict.accepted |= config_.accept_untrusted;
  X509_STORE_CTX_set_error(&chain, verdict.validated ? X509_V_OK : kUnknownError);
  return verdict;
}

// By the roots, and then by the lists of now.
RevocationLists::Verdict Verifier::checkChain(X509_STORE_CTX& chain) const {
  if (X509_verify_cert(&chain) <= 0) {
    return {X509_STORE_CTX_get_error(&chain), X509_STORE_CTX_get_error_depth(&chain)};
  }
  const auto lists = config_.revocations == nullptr ? nullptr : config_.revocations->lists();
  return lists == nullptr ? RevocationLists::Verdict()
                          : lists->check(X509_STORE_CTX_get0_chain(&chain));
}

Verifier::Verdict Verifier::verifyUris(X509_STORE_CTX& chain,
                                       const std::vector<std::string>& wanted) const {
  bool found = false;
  X509* const leaf = X509_STORE_CTX_get0_cert(&chain);
  forEachSan(leaf, [&](SanType type, const std::string& text) {
    found |= type == SanType::kUri && std::find(wanted.begin(), wanted.end(), text) != wanted.end();
  });
  if (found) {
    return {true, true, {}};
  }
  stats_.fail_verify_san.add();
  X509_STORE_CTX_set_error(&chain, kUnknownError);
  return {false, false,
          absl::StrCat("verify cert failed: wanted [", absl::StrJoin(wanted, ", "),
                       "], certificate SANs are [", absl::StrJoin(sanTexts(leaf), ", "), "]")};
}

Verifier::Verdict Verifier::verifyLeaf(X509& leaf, absl::string_view server_name) const {
  if (!namesMatch(leaf, server_name)) {
    stats_.fail_verify_san.add();
    return {false, false,
            absl::StrCat("verify cert failed: SAN matcher, certificate SANs are [",
                         absl::StrJoin(sanTexts(&leaf), ", "), "]")};
  }
  if (!digestsMatch(leaf)) {
    stats_.fail_verify_cert_hash.add();
    return {false, false, "verify cert failed: cert hash and spki"};
  }
  return {true, true, {}};
}

bool Verifier::namesMatch(X509& leaf, absl::string_view server_name) const {
  const bool by_server_name = config_.match_server_name && !server_name.empty();
  bool matched = config_.sans.empty() && !by_server_name;
  forEachSan(&leaf, [&](SanType type, const std::string& text) {
    const auto matches = [&](const SanMatcher& san) { return san.matches(type, text); };
    matched |= by_server_name ? type == SanType::kDns && dnsNameCovers(text, server_name)
                              : std::any_of(config_.sans.begin(), config_.sans.end(), matches);
  });
  return matched;
}

bool Verifier::digestsMatch(X509& leaf) const {
  if (config_.certificate_hashes.empty() && config_.key_hashes.empty()) {
    return true;
  }
  return hasDigest(config_.certificate_hashes, digestOf(&leaf)) ||
         hasDigest(config_.key_hashes, keyDigestOf(&leaf));
}

} // namespace culvert::tls::internal
