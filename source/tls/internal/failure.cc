// SPDX-License-Identifier: Apache-2.0
#include "source/tls/internal/failure.h"

#include <openssl/err.h>
#include <openssl/pemerr.h>
#include <openssl/pkcs12err.h>
#include <openssl/proverr.h>
#include <openssl/sslerr.h>
#include <openssl/x509err.h>

#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "source/tls/internal/openssl.h"

namespace culvert::tls::internal {
namespace {

// BoringSSL's numbers of libraries.
constexpr int kSystem = 2, kPem = 9, kX509 = 11, kSsl = 16, kCipher = 30;

struct Reason {
  int library; // OpenSSL's.
  int reason;
  int boring_library;
  int number;
  const char* name;
};

// Those that a peer or a configuration can cause and that have another number or name there.
constexpr Reason kReasons[] = {
    {ERR_LIB_SSL, SSL_R_CERTIFICATE_VERIFY_FAILED, kSsl, 125, "CERTIFICATE_VERIFY_FAILED"},
    {ERR_LIB_SSL, SSL_R_BAD_SIGNATURE, kSsl, 120, "BAD_SIGNATURE"},
    {ERR_LIB_SSL, SSL_R_LENGTH_MISMATCH, kSsl, 163, "DECODE_ERROR"},
    {ERR_LIB_SSL, SSL_R_BAD_LENGTH, kSsl, 137, "DECODE_ERROR"},
    {ERR_LIB_SSL, SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, kSsl, 139,
     "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"},
    {ERR_LIB_SSL, SSL_R_BAD_RECORD_TYPE, kSsl, 225, "UNEXPECTED_RECORD"},
    {ERR_LIB_SSL, SSL_R_UNEXPECTED_RECORD, kSsl, 225, "UNEXPECTED_RECORD"},
    {ERR_LIB_SSL, SSL_R_UNEXPECTED_MESSAGE, kSsl, 223, "UNEXPECTED_MESSAGE"},
    {ERR_LIB_SSL, SSL_R_PACKET_LENGTH_TOO_LONG, kSsl, 146, "ENCRYPTED_LENGTH_TOO_LONG"},
    {ERR_LIB_SSL, SSL_R_ENCRYPTED_LENGTH_TOO_LONG, kSsl, 146, "ENCRYPTED_LENGTH_TOO_LONG"},
    {ERR_LIB_SSL, SSL_R_DATA_LENGTH_TOO_LONG, kSsl, 136, "DATA_LENGTH_TOO_LONG"},
    {ERR_LIB_SSL, SSL_R_EXCESSIVE_MESSAGE_SIZE, kSsl, 150, "EXCESSIVE_MESSAGE_SIZE"},
    {ERR_LIB_SSL, SSL_R_HTTP_REQUEST, kSsl, 156, "HTTP_REQUEST"},
    {ERR_LIB_SSL, SSL_R_HTTPS_PROXY_REQUEST, kSsl, 157, "HTTPS_PROXY_REQUEST"},
    {ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER, kSsl, 184, "NO_SHARED_CIPHER"},
    {ERR_LIB_SSL, SSL_R_NO_SHARED_GROUPS, kSsl, 266, "NO_SHARED_GROUP"},
    {ERR_LIB_SSL, SSL_R_NO_SUITABLE_KEY_SHARE, kSsl, 266, "NO_SHARED_GROUP"},
    {ERR_LIB_SSL, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, kSsl, 253,
     "NO_COMMON_SIGNATURE_ALGORITHMS"},
    {ERR_LIB_SSL, SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, kSsl, 253,
     "NO_COMMON_SIGNATURE_ALGORITHMS"},
    {ERR_LIB_SSL, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, kSsl, 192,
     "PEER_DID_NOT_RETURN_A_CERTIFICATE"},
    {ERR_LIB_SSL, SSL_R_UNSUPPORTED_PROTOCOL, kSsl, 240, "UNSUPPORTED_PROTOCOL"},
    {ERR_LIB_SSL, SSL_R_VERSION_TOO_LOW, kSsl, 240, "UNSUPPORTED_PROTOCOL"},
    {ERR_LIB_SSL, SSL_R_WRONG_CIPHER_RETURNED, kSsl, 242, "WRONG_CIPHER_RETURNED"},
    {ERR_LIB_SSL, SSL_R_WRONG_CURVE, kSsl, 243, "WRONG_CURVE"},
    {ERR_LIB_SSL, SSL_R_WRONG_SIGNATURE_TYPE, kSsl, 245, "WRONG_SIGNATURE_TYPE"},
    {ERR_LIB_SSL, SSL_R_WRONG_SSL_VERSION, kSsl, 246, "WRONG_SSL_VERSION"},
    {ERR_LIB_SSL, SSL_R_WRONG_VERSION_NUMBER, kSsl, 247, "WRONG_VERSION_NUMBER"},
    {ERR_LIB_PEM, PEM_R_NO_START_LINE, kPem, 110, "NO_START_LINE"},
    {ERR_LIB_OSSL_DECODER, ERR_R_UNSUPPORTED, kPem, 110, "NO_START_LINE"},
    {ERR_LIB_PEM, PEM_R_BAD_PASSWORD_READ, kPem, 104, "BAD_PASSWORD_READ"},
    {ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH, kX509, 116, "KEY_VALUES_MISMATCH"},
    {ERR_LIB_X509, X509_R_KEY_TYPE_MISMATCH, kX509, 115, "KEY_TYPE_MISMATCH"},
    {ERR_LIB_PKCS12, PKCS12_R_PKCS12_CIPHERFINAL_ERROR, kCipher, 101, "BAD_DECRYPT"},
    {ERR_LIB_PROV, PROV_R_BAD_DECRYPT, kCipher, 101, "BAD_DECRYPT"},
};

struct Said {
  uint32_t code;
  const char* library;
  std::string name;
};

const char* libraryName(int boring_library) {
  switch (boring_library) {
  case kSystem:
    return "system library";
  case kPem:
    return "PEM routines";
  case kX509:
    return "X.509 certificate routines";
  case kCipher:
    return "Cipher functions";
  default:
    return "SSL routines";
  }
}

// Alerts have the numbers of the protocol on both sides; others are not worth a table of theirs.
Said inBoring(unsigned long error) {
  const int library = ERR_GET_LIB(error);
  const int reason = ERR_GET_REASON(error);
  for (const Reason& known : kReasons) {
    if (known.library == library && known.reason == reason) {
      return {static_cast<uint32_t>(known.boring_library) << 24 |
                  static_cast<uint32_t>(known.number),
              libraryName(known.boring_library), known.name};
    }
  }
  const char* const text = ERR_reason_error_string(error);
  const std::string name = absl::StrReplaceAll(
      absl::AsciiStrToUpper(text == nullptr ? "unknown" : text), {{" ", "_"}, {"TLSV13", "TLSV1"}});
  return {static_cast<uint32_t>(kSsl) << 24 | static_cast<uint32_t>(reason & 0xffffff),
          libraryName(kSsl), name};
}

// A record of the wrong kind and a message of the wrong kind are one reason in some places of the
// library; which of them it is, is to be seen by the layer.
unsigned long recordErrorOf(unsigned long error, absl::string_view function) {
  const bool record = ERR_GET_LIB(error) == ERR_LIB_SSL &&
                      ERR_GET_REASON(error) == SSL_R_UNEXPECTED_MESSAGE &&
                      absl::StartsWith(function, "ssl3_");
  return record ? ERR_PACK(ERR_LIB_SSL, 0, SSL_R_UNEXPECTED_RECORD) : error;
}

std::string between(absl::string_view inside) {
  return absl::StrCat("TLS_error:", inside, ":TLS_error_end");
}

} // namespace

Failure takeFailure(absl::string_view detail) {
  Failure failure;
  std::string inside;
  const char* function = nullptr;
  while (const unsigned long error =
             ERR_get_error_all(nullptr, nullptr, &function, nullptr, nullptr)) {
    const Said said = inBoring(recordErrorOf(error, function));
    absl::StrAppend(&inside, "|", said.code, ":", said.library, ":OPENSSL_internal:", said.name);
    if (said.name == "CERTIFICATE_VERIFY_FAILED") {
      failure.verification = true;
      absl::StrAppend(&inside, ":", detail);
    } else if (said.name == "PEER_DID_NOT_RETURN_A_CERTIFICATE") {
      failure.no_certificate = true;
      absl::StrAppend(&inside, ":peer did not provide required client certificate");
    }
  }
  failure.text = inside.empty() ? std::string() : between(inside);
  return failure;
}

std::string transportFailure(absl::string_view reason) {
  const absl::string_view said = reason.empty() ? "Connection reset by peer" : reason;
  return between(absl::StrCat("|", static_cast<uint32_t>(kSystem) << 24 | ECONNRESET, ":",
                              libraryName(kSystem), ":OPENSSL_internal:", said));
}

std::string takeLoadError() {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  const Said said = inBoring(error);
  return absl::StrFormat("error:%08x:%s:OPENSSL_internal:%s", said.code, said.library, said.name);
}

} // namespace culvert::tls::internal
