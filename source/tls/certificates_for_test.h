// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <string>
#include <vector>

#include "source/base/check.h"
#include "source/tls/config.h"
#include "source/tls/internal/key.h"
#include "source/tls/internal/openssl.h"

namespace culvert::tls {

// What a test's certificate says.
struct CertificateForTest {
  std::string common_name = "server";
  std::string sans; // As OpenSSL's configuration has them: "DNS:lab.test,URI:spiffe://lab.test/a".
  long starts_in_s = -3600;
  long ends_in_s = 3600;
  bool authority = false;
  bool rsa = false;
};

// Makes certificates; one made without an issuer signs itself. Threads: one.
class AuthorityForTest {
public:
  struct Made {
    internal::X509Ptr certificate;
    internal::PkeyPtr key;

    std::string pem() const {
      return text([&](BIO* bio) { PEM_write_bio_X509(bio, certificate.get()); });
    }
    std::string keyPem() const {
      return text([&](BIO* bio) {
        PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
      });
    }
  };

  explicit AuthorityForTest(const std::string& name = "lab root")
      : own_(make({.common_name = name, .authority = true}, nullptr)) {}

  Made issue(const CertificateForTest& wish) const { return make(wish, &own_); }
  std::string pem() const { return own_.pem(); }

  // A list that revokes `revoked`.
  std::string crl(const std::vector<const Made*>& revoked) const {
    const std::unique_ptr<X509_CRL, internal::Freer<X509_CRL_free>> list(X509_CRL_new());
    X509_CRL_set_version(list.get(), 1);
    X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(own_.certificate.get()));
    ASN1_TIME* const time = X509_gmtime_adj(nullptr, -60);
    X509_CRL_set1_lastUpdate(list.get(), time);
    for (const Made* one : revoked) {
      X509_REVOKED* const entry = X509_REVOKED_new();
      X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(one->certificate.get()));
      X509_REVOKED_set_revocationDate(entry, time);
      X509_CRL_add0_revoked(list.get(), entry);
    }
    X509_gmtime_adj(time, 3600);
    X509_CRL_set1_nextUpdate(list.get(), time);
    ASN1_TIME_free(time);
    CULVERT_CHECK(X509_CRL_sign(list.get(), own_.key.get(), EVP_sha256()) > 0);
    return text([&](BIO* bio) { PEM_write_bio_X509_CRL(bio, list.get()); });
  }

private:
  template <class Write> static std::string text(Write write) {
    const internal::BioPtr bio(BIO_new(BIO_s_mem()));
    write(bio.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return std::string(data, static_cast<size_t>(size));
  }

  static void extend(X509* certificate, int kind, const std::string& value) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    CULVERT_CHECK(extension != nullptr);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  static internal::PkeyPtr makeRsaKey() {
    RSA* const rsa = RSA_new();
    internal::PkeyPtr key(EVP_PKEY_new());
    EVP_PKEY_assign_RSA(key.get(), rsa);
    const std::unique_ptr<BIGNUM, internal::Freer<BN_free>> exponent(BN_new());
    CULVERT_CHECK(BN_set_word(exponent.get(), RSA_F4) == 1 &&
                  RSA_generate_key_ex(rsa, 2048, exponent.get(), nullptr) == 1);
    return key;
  }

  static Made make(const CertificateForTest& wish, const Made* issuer) {
    static long serial = 1000;
    Made made{internal::X509Ptr(X509_new()),
              wish.rsa ? makeRsaKey() : internal::makeEcKey()};
    X509* const certificate = made.certificate.get();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), wish.starts_in_s);
    X509_gmtime_adj(X509_getm_notAfter(certificate), wish.ends_in_s);
    X509_set_pubkey(certificate, made.key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(wish.common_name.c_str()), -1,
                               -1, 0);
    const Made& signer = issuer == nullptr ? made : *issuer;
    X509_set_issuer_name(certificate, X509_get_subject_name(signer.certificate.get()));
    extend(certificate, NID_basic_constraints, wish.authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (!wish.sans.empty()) {
      extend(certificate, NID_subject_alt_name, wish.sans);
    }
    CULVERT_CHECK(X509_sign(certificate, signer.key.get(), EVP_sha256()) > 0);
    return made;
  }

  const Made own_;
};

} // namespace culvert::tls
