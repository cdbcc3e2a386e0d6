// SPDX-License-Identifier: Apache-2.0
#include "source/tls/internal/failure.h"

#include <openssl/err.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "source/tls/internal/openssl.h"

namespace culvert::tls::internal {
namespace {

absl::string_view libraryOf(uint32_t error) {
  const char* const name = ERR_lib_error_string(error);
  return name == nullptr ? "unknown library" : name;
}

absl::string_view reasonOf(uint32_t error) {
  const char* const name = ERR_reason_error_string(error);
  return name == nullptr ? "unknown error" : name;
}

bool isSsl(uint32_t error, int reason) {
  return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == reason;
}

std::string between(absl::string_view inside) {
  return absl::StrCat("TLS_error:", inside, ":TLS_error_end");
}

std::string part(uint32_t error, absl::string_view reason) {
  return absl::StrCat("|", error, ":", libraryOf(error), ":OPENSSL_internal:", reason);
}

} // namespace

Failure takeFailure(absl::string_view detail) {
  Failure failure;
  std::string inside;
  while (const uint32_t error = ERR_get_error()) {
    absl::StrAppend(&inside, part(error, reasonOf(error)));
    if (isSsl(error, SSL_R_CERTIFICATE_VERIFY_FAILED)) {
      failure.verification = true;
      absl::StrAppend(&inside, ":", detail);
    } else if (isSsl(error, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)) {
      failure.no_certificate = true;
      absl::StrAppend(&inside, ":peer did not provide required client certificate");
    }
  }
  failure.text = inside.empty() ? std::string() : between(inside);
  return failure;
}

std::string transportFailure(absl::string_view reason) {
  return between(part(ERR_PACK(ERR_LIB_SYS, ECONNRESET),
                      reason.empty() ? "Connection reset by peer" : reason));
}

std::string takeLoadError() {
  const uint32_t error = ERR_peek_last_error();
  ERR_clear_error();
  return absl::StrFormat("error:%08x:%s:OPENSSL_internal:%s", error, libraryOf(error),
                         reasonOf(error));
}

} // namespace culvert::tls::internal
