// SPDX-License-Identifier: Apache-2.0
#include "source/tls/internal/certificate.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "absl/strings/escaping.h"

namespace culvert::tls::internal {
namespace {

using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>>;

std::string contentOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<size_t>(size)) : std::string();
}

std::string textOf(const ASN1_STRING* string) {
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
                     static_cast<size_t>(ASN1_STRING_length(string)));
}

std::string ipOf(const ASN1_STRING* string) {
  char text[INET6_ADDRSTRLEN];
  const int length = ASN1_STRING_length(string);
  const int family = length == 4 ? AF_INET : AF_INET6;
  if ((length != 4 && length != 16) ||
      ::inet_ntop(family, ASN1_STRING_get0_data(string), text, sizeof(text)) == nullptr) {
    return {};
  }
  return text;
}

std::string otherNameOf(const OTHERNAME* name) {
  switch (name->value->type) {
  case V_ASN1_UTF8STRING:
  case V_ASN1_IA5STRING:
  case V_ASN1_PRINTABLESTRING:
  case V_ASN1_T61STRING:
  case V_ASN1_VISIBLESTRING:
  case V_ASN1_OCTET_STRING:
    return textOf(name->value->value.asn1_string);
  default:
    return {};
  }
}

std::string nameOf(const X509_NAME* name) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
  return contentOf(bio.get());
}

std::string serialOf(const X509* certificate) {
  BIGNUM* const number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr);
  char* const hex = number == nullptr ? nullptr : BN_bn2hex(number);
  std::string serial = hex == nullptr ? "" : hex;
  OPENSSL_free(hex);
  BN_free(number);
  for (char& c : serial) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return serial;
}

base::WallTime timeOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) {
    return {};
  }
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

std::string hexDigest(X509* certificate, const EVP_MD* kind) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  X509_digest(certificate, kind, digest, &length);
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest), length});
}

std::string pemOf(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  return contentOf(bio.get());
}

GeneralNamesPtr namesOf(X509* certificate) {
  return GeneralNamesPtr(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
}

} // namespace

void forEachSan(X509* certificate, const std::function<void(SanType, const std::string&)>& visit) {
  const GeneralNamesPtr names = namesOf(certificate);
  for (size_t i = 0; i < sk_GENERAL_NAME_num(names.get()); i++) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    switch (name->type) {
    case GEN_DNS:
      visit(SanType::kDns, textOf(name->d.dNSName));
      break;
    case GEN_URI:
      visit(SanType::kUri, textOf(name->d.uniformResourceIdentifier));
      break;
    case GEN_EMAIL:
      visit(SanType::kEmail, textOf(name->d.rfc822Name));
      break;
    case GEN_IPADD:
      visit(SanType::kIp, ipOf(name->d.iPAddress));
      break;
    default:
      break;
    }
  }
}

std::vector<std::string> sanTexts(X509* certificate) {
  std::vector<std::string> texts;
  forEachSan(certificate, [&](SanType, const std::string& text) { texts.push_back(text); });
  return texts;
}

net::CertificateFacts factsOf(X509* certificate) {
  net::CertificateFacts facts;
  facts.subject = nameOf(X509_get_subject_name(certificate));
  facts.issuer = nameOf(X509_get_issuer_name(certificate));
  facts.serial = serialOf(certificate);
  facts.sha256 = hexDigest(certificate, EVP_sha256());
  facts.sha1 = hexDigest(certificate, EVP_sha1());
  facts.pem = pemOf(certificate);
  facts.valid_from = timeOf(X509_get0_notBefore(certificate));
  facts.valid_to = timeOf(X509_get0_notAfter(certificate));
  forEachSan(certificate, [&](SanType type, const std::string& text) {
    (type == SanType::kDns     ? facts.dns_sans
     : type == SanType::kUri   ? facts.uri_sans
     : type == SanType::kEmail ? facts.email_sans
                               : facts.ip_sans)
        .push_back(text);
  });
  const GeneralNamesPtr names = namesOf(certificate);
  for (size_t i = 0; i < sk_GENERAL_NAME_num(names.get()); i++) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_OTHERNAME) {
      facts.other_sans.push_back(otherNameOf(name->d.otherName));
    }
  }
  return facts;
}

std::string commonName(X509* certificate) {
  X509_NAME* const subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  return at < 0 ? std::string()
                : textOf(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

Sha256 digestOf(X509* certificate) {
  Sha256 digest{};
  X509_digest(certificate, EVP_sha256(), digest.data(), nullptr);
  return digest;
}

Sha256 keyDigestOf(X509* certificate) {
  Sha256 digest{};
  unsigned char* der = nullptr;
  const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (length > 0) {
    SHA256(der, static_cast<size_t>(length), digest.data());
  }
  OPENSSL_free(der);
  return digest;
}

base::WallTime expiryOf(X509* certificate) { return timeOf(X509_get0_notAfter(certificate)); }

InfosPtr readPem(absl::string_view text) {
  const BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  InfosPtr infos(PEM_X509_INFO_read_bio(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return infos;
}

} // namespace culvert::tls::internal
