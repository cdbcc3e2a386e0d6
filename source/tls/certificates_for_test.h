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
  std::string key_usage; // As OpenSSL's configuration has it; empty: any.
  std::string key_id;    // "01:02"; empty: none.
};

// What a test's list of revoked certificates says beside who is.
struct CrlForTest {
  long version = 1; // As it is encoded: 0 is version 1.
  long ends_in_s = 3600;
  std::string signer_id; // The key id of who signs it, as bytes; empty: none.
  bool delta = false;    // It has an extension that must be understood.
};

// Makes certificates; one made without an issuer signs itself. Threads: one.
class AuthorityForTest {
public:
  struct Made {
    internal::X509Ptr certificate;
    internal::PkeyPtr key;

    // What pem() gave, and keyPem() where it follows.
    static Made read(const std::string& text) {
      const auto bio = [&] {
        return internal::BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
      };
      return {internal::X509Ptr(PEM_read_bio_X509(bio().get(), nullptr, nullptr, nullptr)),
              internal::PkeyPtr(PEM_read_bio_PrivateKey(bio().get(), nullptr, nullptr, nullptr))};
    }
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
  explicit AuthorityForTest(Made own) : own_(std::move(own)) {}

  Made issue(const CertificateForTest& wish) const { return make(wish, &own_); }
  std::string pem() const { return own_.pem(); }

  // A list that revokes `revoked`.
  std::string crl(const std::vector<const Made*>& revoked, const CrlForTest& wish = {}) const {
    const std::unique_ptr<X509_CRL, internal::Freer<X509_CRL_free>> list(X509_CRL_new());
    X509_CRL_set_version(list.get(), wish.version);
    X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(own_.certificate.get()));
    ASN1_TIME* const time = X509_gmtime_adj(nullptr, -60);
    X509_CRL_set1_lastUpdate(list.get(), time);
    for (const Made* one : revoked) {
      X509_REVOKED* const entry = X509_REVOKED_new();
      X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(one->certificate.get()));
      X509_REVOKED_set_revocationDate(entry, time);
      X509_CRL_add0_revoked(list.get(), entry);
    }
    X509_gmtime_adj(time, wish.ends_in_s);
    X509_CRL_set1_nextUpdate(list.get(), time);
    ASN1_TIME_free(time);
    extend(*list, wish);
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

  static void extend(X509_CRL& list, const CrlForTest& wish) {
    if (wish.delta) {
      ASN1_INTEGER* const base = ASN1_INTEGER_new();
      X509_CRL_add1_ext_i2d(&list, NID_delta_crl, base, /*critical=*/1, 0);
      ASN1_INTEGER_free(base);
    }
    if (!wish.signer_id.empty()) {
      AUTHORITY_KEYID* const id = AUTHORITY_KEYID_new();
      id->keyid = ASN1_OCTET_STRING_new();
      ASN1_OCTET_STRING_set(id->keyid,
                            reinterpret_cast<const unsigned char*>(wish.signer_id.data()),
                            static_cast<int>(wish.signer_id.size()));
      X509_CRL_add1_ext_i2d(&list, NID_authority_key_identifier, id, /*critical=*/0, 0);
      AUTHORITY_KEYID_free(id);
    }
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
    Made made{internal::X509Ptr(X509_new()), wish.rsa ? makeRsaKey() : internal::makeEcKey()};
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
    if (!wish.key_usage.empty()) {
      extend(certificate, NID_key_usage, wish.key_usage);
    }
    if (!wish.key_id.empty()) {
      extend(certificate, NID_subject_key_identifier, wish.key_id);
    }
    if (!wish.sans.empty()) {
      extend(certificate, NID_subject_alt_name, wish.sans);
    }
    CULVERT_CHECK(X509_sign(certificate, signer.key.get(), EVP_sha256()) > 0);
    return made;
  }

  const Made own_;
};

} // namespace culvert::tls
