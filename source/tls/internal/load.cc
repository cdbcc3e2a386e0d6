// SPDX-License-Identifier: Apache-2.0
#include "source/tls/internal/load.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "source/tls/internal/certificate.h"
#include "source/tls/internal/failure.h"

namespace culvert::tls::internal {
namespace {

constexpr int kRsaBitsMin = 2048;

using Pkcs12Ptr = std::unique_ptr<PKCS12, Freer<PKCS12_free>>;

BioPtr bioOf(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Null for the library's default, which would ask at the terminal.
int givePassword(char* into, int size, int, void* password) {
  const auto& text = *static_cast<const std::string*>(password);
  const int length = std::min(size, static_cast<int>(text.size()));
  std::memcpy(into, text.data(), static_cast<size_t>(length));
  return text.empty() ? -1 : length;
}

absl::Status loadChain(const CertificateConfig& config, Credential& credential) {
  const std::string path = absl::StrCat(config.path, ".certificate_chain");
  const absl::string_view name = config.chain ? absl::string_view(config.chain->name) : "";
  if (!config.chain || config.chain->text.empty()) {
    return errorAt(path, absl::StrCat("Failed to load incomplete certificate from ", name,
                                      ": certificate chain not set"));
  }
  const absl::Status damaged =
      errorAt(path, absl::StrCat("Failed to load certificate chain from ", name));
  const BioPtr bio = bioOf(config.chain->text);
  credential.leaf.reset(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr));
  if (credential.leaf == nullptr) {
    ERR_clear_error();
    return damaged;
  }
  credential.chain.reset(sk_X509_new_null());
  while (X509* const next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    sk_X509_push(credential.chain.get(), next);
  }
  const uint32_t end = ERR_peek_last_error();
  ERR_clear_error();
  return ERR_GET_LIB(end) == ERR_LIB_PEM && ERR_GET_REASON(end) == PEM_R_NO_START_LINE
             ? absl::OkStatus()
             : damaged;
}

absl::Status loadKey(const CertificateConfig& config, Credential& credential) {
  const std::string path = absl::StrCat(config.path, ".private_key");
  if (!config.key || config.key->text.empty()) {
    return errorAt(path, absl::StrCat("Failed to load incomplete private key from path: ",
                                      config.key ? config.key->name : ""));
  }
  std::string password = config.password;
  credential.key.reset(
      PEM_read_bio_PrivateKey(bioOf(config.key->text).get(), nullptr, givePassword, &password));
  if (credential.key == nullptr ||
      X509_check_private_key(credential.leaf.get(), credential.key.get()) != 1) {
    return errorAt(path, absl::StrCat("Failed to load private key from ", config.key->name,
                                      ", Cause: ", takeLoadError()));
  }
  return absl::OkStatus();
}

absl::Status loadPkcs12(const CertificateConfig& config, Credential& credential) {
  const absl::Status damaged =
      errorAt(absl::StrCat(config.path, ".pkcs12"),
              absl::StrCat("Failed to load pkcs12 from ", config.pkcs12->name));
  const Pkcs12Ptr bundle(d2i_PKCS12_bio(bioOf(config.pkcs12->text).get(), nullptr));
  X509* leaf = nullptr;
  EVP_PKEY* key = nullptr;
  STACK_OF(X509)* chain = nullptr;
  const bool read = bundle != nullptr &&
                    PKCS12_parse(bundle.get(), config.password.c_str(), &key, &leaf, &chain) == 1;
  ERR_clear_error();
  credential = {X509Ptr(leaf), PkeyPtr(key), ChainPtr(chain), {}};
  return read && leaf != nullptr && key != nullptr ? absl::OkStatus() : damaged;
}

absl::Status checkKind(const CertificateConfig& config, const Credential& credential) {
  EVP_PKEY* const key = X509_get0_pubkey(credential.leaf.get());
  if (EVP_PKEY_id(key) == EVP_PKEY_RSA && EVP_PKEY_bits(key) < kRsaBitsMin) {
    const Source& source = config.chain ? *config.chain : *config.pkcs12;
    return errorAt(absl::StrCat(config.path, config.chain ? ".certificate_chain" : ".pkcs12"),
                   absl::StrCat("Failed to load certificate chain from ", source.name,
                                ", only RSA certificates with 2048-bit or larger keys are "
                                "supported"));
  }
  return absl::OkStatus();
}

} // namespace

absl::StatusOr<Credential> loadCredential(const CertificateConfig& config) {
  if (config.pkcs12 && (config.chain || config.key)) {
    return errorAt(absl::StrCat(config.path, ".pkcs12"),
                   absl::StrCat("Certificate configuration can't have both pkcs12 and ",
                                config.chain ? "certificate_chain" : "private_key"));
  }
  Credential credential;
  absl::Status status =
      config.pkcs12 ? loadPkcs12(config, credential) : loadChain(config, credential);
  status.Update(status.ok() ? checkKind(config, credential) : status);
  status.Update(status.ok() && !config.pkcs12 ? loadKey(config, credential) : status);
  if (!status.ok()) {
    return status;
  }
  forEachSan(credential.leaf.get(), [&](SanType type, const std::string& text) {
    if (type == SanType::kDns) {
      credential.names.push_back(absl::AsciiStrToLower(text));
    }
  });
  if (credential.names.empty()) {
    credential.names.push_back(absl::AsciiStrToLower(commonName(credential.leaf.get())));
  }
  return credential;
}

} // namespace culvert::tls::internal
