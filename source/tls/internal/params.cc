// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "source/tls/internal/load.h"

namespace culvert::tls::internal {
namespace {

// Those in brackets rank alike.
constexpr absl::string_view kDefaultCiphers =
    "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]:"
    "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
constexpr absl::string_view kDefaultGroups = "X25519:P-256";
constexpr size_t kProtocolBytesMax = 255;

// What a policy leaves of protocols, in the words of Params.
struct Allowed {
  Version min; // Up to TLS 1.3.
  const char* ciphers12;
  const char* suites13;
  const char* groups;
  const char* signatures;
};
constexpr Allowed kFips202205 = {
    Version::k1_2,
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384", "P-256:P-384",
    "rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512:ecdsa_secp256r1_sha256:"
    "ecdsa_secp384r1_sha384:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512"};
constexpr char kCnsaCiphers[] = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
constexpr char kCnsaSuites[] = "TLS_AES_256_GCM_SHA384";
constexpr char kCnsaSignatures[] = "ecdsa_secp384r1_sha384:rsa_pss_rsae_sha384:rsa_pkcs1_sha384";
constexpr Allowed kCnsa2 = {Version::k1_3, kCnsaCiphers, kCnsaSuites, "MLKEM1024", kCnsaSignatures};
constexpr Allowed kCnsa1 = {Version::k1_2, kCnsaCiphers, kCnsaSuites, "MLKEM1024:P-384",
                            kCnsaSignatures};

uint16_t numberOf(Version version, uint16_t automatic) {
  switch (version) {
  case Version::kAuto:
    return automatic;
  case Version::k1_0:
    return TLS1_VERSION;
  case Version::k1_1:
    return TLS1_1_VERSION;
  case Version::k1_2:
    return TLS1_2_VERSION;
  case Version::k1_3:
    return TLS1_3_VERSION;
  }
  return automatic;
}

// Each name of a list like "-ALL:[A|B]:C", without what stands before it and without the brackets.
std::vector<std::string> namesIn(const std::string& list) {
  std::vector<std::string> names;
  for (absl::string_view name : absl::StrSplit(list, absl::ByAnyChar(":[]|"), absl::SkipEmpty())) {
    names.emplace_back(name.substr(std::min(name.size(), name.find_first_not_of("!-+"))));
  }
  return names;
}

absl::Status applyCiphers(const Params& params, SSL_CTX& context) {
  const std::string list = params.cipher_suites.empty() ? std::string(kDefaultCiphers)
                                                        : absl::StrJoin(params.cipher_suites, ":");
  if (SSL_CTX_set_strict_cipher_list(&context, list.c_str()) == 1) {
    return absl::OkStatus();
  }
  std::vector<std::string> rejected;
  for (const std::string& name : namesIn(list)) {
    if (SSL_CTX_set_strict_cipher_list(&context, name.c_str()) != 1) {
      rejected.push_back(name);
    }
  }
  ERR_clear_error();
  return errorAt(absl::StrCat(params.path, ".cipher_suites"),
                 absl::StrCat("Failed to initialize cipher suites ", list,
                              ". The following ciphers were rejected when tried individually: ",
                              absl::StrJoin(rejected, ", ")));
}

absl::Status applySignatures(const Params& params, SSL_CTX& context) {
  if (params.signature_algorithms.empty()) {
    return absl::OkStatus();
  }
  const std::string list = absl::StrJoin(params.signature_algorithms, ":");
  const bool good = SSL_CTX_set1_sigalgs_list(&context, list.c_str()) == 1;
  ERR_clear_error();
  return good ? absl::OkStatus()
              : errorAt(absl::StrCat(params.path, ".signature_algorithms"),
                        absl::StrCat("Failed to initialize TLS signature algorithms ", list));
}

absl::Status applyEach(const Params& params, bool server, SSL_CTX& context) {
  SSL_CTX_set_min_proto_version(&context, numberOf(params.min, TLS1_2_VERSION));
  SSL_CTX_set_max_proto_version(&context,
                                numberOf(params.max, server ? TLS1_3_VERSION : TLS1_2_VERSION));
  absl::Status status = applyCiphers(params, context);
  if (status.ok() && !params.tls13_suites.empty() &&
      SSL_CTX_set_ciphersuites(&context, params.tls13_suites.c_str()) != 1) {
    ERR_clear_error();
    status =
        errorAt(params.path, absl::StrCat("no cipher suites of TLS 1.3: ", params.tls13_suites));
  }
  const std::string groups =
      params.groups.empty() ? std::string(kDefaultGroups) : absl::StrJoin(params.groups, ":");
  if (status.ok() && SSL_CTX_set1_groups_list(&context, groups.c_str()) != 1) {
    ERR_clear_error();
    status = errorAt(absl::StrCat(params.path, ".ecdh_curves"),
                     absl::StrCat("Failed to initialize ECDH curves ", groups));
  }
  status.Update(status.ok() ? applySignatures(params, context) : status);
  return status;
}

const Allowed* allowedBy(CompliancePolicy policy) {
  switch (policy) {
  case CompliancePolicy::kNone:
    return nullptr;
  case CompliancePolicy::kFips202205:
    return &kFips202205;
  case CompliancePolicy::kCnsa2_202603:
    return &kCnsa2;
  case CompliancePolicy::kCnsa1_202603:
    return &kCnsa1;
  }
  return nullptr;
}

} // namespace

// A policy comes last and wins, as Envoy has it; what it overrules has to be right nevertheless.
absl::Status applyParams(const Params& params, bool server, SSL_CTX& context) {
  const absl::Status status = applyEach(params, server, context);
  const Allowed* const allowed = allowedBy(params.policy);
  if (!status.ok() || allowed == nullptr) {
    return status;
  }
  Params complying;
  complying.min = allowed->min;
  complying.max = Version::k1_3;
  complying.cipher_suites = {allowed->ciphers12};
  complying.tls13_suites = allowed->suites13;
  complying.groups = {allowed->groups};
  complying.signature_algorithms = {allowed->signatures};
  complying.path = absl::StrCat(params.path, ".compliance_policies");
  return applyEach(complying, server, context);
}

absl::StatusOr<std::string> alpnList(const std::vector<std::string>& protocols) {
  std::string list;
  for (const absl::string_view protocol :
       absl::StrSplit(absl::StrJoin(protocols, ","), ',', absl::SkipEmpty())) {
    if (protocol.size() > kProtocolBytesMax) {
      return errorAt("alpn_protocols", "Invalid ALPN protocol string");
    }
    list.push_back(static_cast<char>(protocol.size()));
    absl::StrAppend(&list, protocol);
  }
  return list;
}

} // namespace culvert::tls::internal
