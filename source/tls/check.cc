// SPDX-License-Identifier: Apache-2.0
#include "source/tls/check.h"

#include "source/tls/internal/certificate.h"
#include "source/tls/internal/load.h"

namespace culvert::tls {

absl::Status check(const CertificateConfig& config) {
  return internal::loadCredential(config).status();
}

absl::Status check(const ValidationConfig& config) {
  const auto has = [](const Source& source, auto member) {
    const internal::InfosPtr infos = internal::readPem(source.text);
    for (size_t i = 0; i < sk_X509_INFO_num(infos.get()); i++) {
      if (sk_X509_INFO_value(infos.get(), i)->*member != nullptr) {
        return true;
      }
    }
    return false;
  };
  if (config.trusted_ca && !has(*config.trusted_ca, &X509_INFO::x509)) {
    return internal::errorAt(
        absl::StrCat(config.path, ".trusted_ca"),
        absl::StrCat("Failed to load trusted CA certificates from ", config.trusted_ca->name));
  }
  if (config.crl && !has(*config.crl, &X509_INFO::crl)) {
    return internal::errorAt(absl::StrCat(config.path, ".crl"),
                             absl::StrCat("Failed to load CRL from ", config.crl->name));
  }
  return absl::OkStatus();
}

} // namespace culvert::tls
