// SPDX-License-Identifier: Apache-2.0
#include "source/tls/authority.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/tls/internal/key.h"
#include "source/tls/internal/openssl.h"

namespace culvert::tls {
namespace {

using internal::BioPtr;
using internal::PkeyPtr;
using internal::X509Ptr;

constexpr int kSerialBytes = 16;

absl::Status failure(absl::string_view what) {
  ERR_clear_error();
  return absl::InternalError(absl::StrCat("cannot ", what));
}

// What `write` writes; empty when it failed.
template <class Write> std::string textOf(Write write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || write(bio.get()) != 1) {
    return {};
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

std::string pemOf(X509* certificate) {
  return textOf([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

std::string pemOf(EVP_PKEY* key) {
  return textOf([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

struct Extension {
  int kind;
  std::string value; // As OpenSSL's configuration files write it.
};

bool extend(X509& certificate, const Extension& extension) {
  const std::unique_ptr<X509_EXTENSION, internal::Freer<X509_EXTENSION_free>> made(
      X509V3_EXT_conf_nid(nullptr, nullptr, extension.kind, extension.value.c_str()));
  return made != nullptr && X509_add_ext(&certificate, made.get(), -1) == 1;
}

bool setSerial(X509& certificate) {
  std::array<unsigned char, kSerialBytes> bytes;
  if (RAND_bytes(bytes.data(), kSerialBytes) != 1) {
    return false;
  }
  bytes[0] &= 0x7f; // Positive (RFC 5280, section 4.1.2.2).
  const std::unique_ptr<BIGNUM, internal::Freer<BN_free>> number(
      BN_bin2bn(bytes.data(), kSerialBytes, nullptr));
  return number != nullptr &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) != nullptr;
}

bool setTimes(X509& certificate, base::WallTime from, base::WallTime until) {
  return ASN1_TIME_set(X509_getm_notBefore(&certificate),
                       std::chrono::system_clock::to_time_t(from)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(&certificate),
                       std::chrono::system_clock::to_time_t(until)) != nullptr;
}

// A certificate of `key` that is not signed yet; null: the library could not.
X509Ptr draft(EVP_PKEY* key, base::WallTime from, base::WallTime until,
              const std::vector<Extension>& extensions) {
  X509Ptr certificate(X509_new());
  bool good = key != nullptr && certificate != nullptr &&
              X509_set_version(certificate.get(), X509_VERSION_3) == 1 && setSerial(*certificate) &&
              setTimes(*certificate, from, until) && X509_set_pubkey(certificate.get(), key) == 1;
  for (const Extension& extension : extensions) {
    good = good && extend(*certificate, extension);
  }
  return good ? std::move(certificate) : nullptr;
}

} // namespace

struct Authority::Parts {
  X509Ptr certificate;
  PkeyPtr key;
};

Authority::Authority(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Authority::~Authority() = default;

absl::StatusOr<std::unique_ptr<const Authority>>
Authority::create(const std::string& name, base::WallTime from, base::WallTime until) {
  auto parts = std::make_unique<Parts>();
  parts->key = internal::makeEcKey();
  parts->certificate = draft(parts->key.get(), from, until,
                             {{NID_basic_constraints, "critical,CA:TRUE"},
                              {NID_key_usage, "critical,keyCertSign,cRLSign"}});
  X509* const certificate = parts->certificate.get();
  const auto* const text = reinterpret_cast<const unsigned char*>(name.c_str());
  if (certificate == nullptr ||
      X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "O", MBSTRING_UTF8, text, -1,
                                 -1, 0) != 1 ||
      X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) != 1 ||
      X509_sign(certificate, parts->key.get(), EVP_sha256()) <= 0) {
    return failure("make an authority");
  }
  return std::unique_ptr<const Authority>(new Authority(std::move(parts)));
}

absl::StatusOr<std::unique_ptr<const Authority>> Authority::load(const std::string& text) {
  auto parts = std::make_unique<Parts>();
  const auto bio = [&] {
    return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  };
  parts->certificate.reset(PEM_read_bio_X509(bio().get(), nullptr, nullptr, nullptr));
  parts->key.reset(PEM_read_bio_PrivateKey(bio().get(), nullptr, nullptr, nullptr));
  if (parts->certificate == nullptr || parts->key == nullptr ||
      X509_check_private_key(parts->certificate.get(), parts->key.get()) != 1) {
    return failure("read an authority: the text is not a certificate with its key");
  }
  return std::unique_ptr<const Authority>(new Authority(std::move(parts)));
}

absl::StatusOr<std::string> Authority::text() const {
  const std::string key = pemOf(parts_->key.get());
  const absl::StatusOr<std::string> own = certificate();
  return own.ok() && !key.empty() ? absl::StatusOr<std::string>(absl::StrCat(*own, key))
                                  : failure("write the authority");
}

absl::StatusOr<std::string> Authority::certificate() const {
  std::string pem = pemOf(parts_->certificate.get());
  return pem.empty() ? absl::StatusOr<std::string>(failure("write the authority's certificate"))
                     : std::move(pem);
}

absl::StatusOr<KeyedCertificate> Authority::issue(const std::string& uri, base::WallTime from,
                                                  base::WallTime until) const {
  if (uri.find_first_of(",\n\r") != std::string::npos) { // It would be read as several names.
    return absl::InvalidArgumentError("a URI with a comma or a line break");
  }
  const PkeyPtr key = internal::makeEcKey();
  const X509Ptr certificate = draft(key.get(), from, until,
                                    {{NID_basic_constraints, "critical,CA:FALSE"},
                                     {NID_key_usage, "critical,digitalSignature"},
                                     {NID_ext_key_usage, "serverAuth,clientAuth"},
                                     {NID_subject_alt_name, absl::StrCat("critical,URI:", uri)}});
  X509_NAME* const issuer = X509_get_subject_name(parts_->certificate.get());
  if (certificate == nullptr || X509_set_issuer_name(certificate.get(), issuer) != 1 ||
      X509_sign(certificate.get(), parts_->key.get(), EVP_sha256()) <= 0) {
    return failure("sign a certificate");
  }
  KeyedCertificate made{pemOf(certificate.get()), pemOf(key.get())};
  return made.chain.empty() || made.key.empty()
             ? absl::StatusOr<KeyedCertificate>(failure("write a certificate"))
             : std::move(made);
}

} // namespace culvert::tls
