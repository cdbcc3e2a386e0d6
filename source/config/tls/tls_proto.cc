// SPDX-License-Identifier: Apache-2.0
#include "source/config/tls/tls_proto.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "source/base/field_error.h"
#include "source/config/tls/data_source.h"
#include "source/match/value_match.h"
#include "source/tls/check.h"

namespace culvert::config::tls {
namespace {

namespace tls_v3 = envoy::extensions::transport_sockets::tls::v3;
namespace matcher_v3 = envoy::type::matcher::v3;

using base::errorAt;
using culvert::tls::CertificateConfig;
using culvert::tls::CompliancePolicy;
using culvert::tls::ContextConfig;
using culvert::tls::Params;
using culvert::tls::SanMatcher;
using culvert::tls::SanType;
using culvert::tls::Sha256;
using culvert::tls::Source;
using culvert::tls::ValidationConfig;
using culvert::tls::Version;
using culvert::tls::WatchedFile;

Version versionOf(tls_v3::TlsParameters::TlsProtocol protocol) {
  switch (protocol) {
  case tls_v3::TlsParameters::TLSv1_0:
    return Version::k1_0;
  case tls_v3::TlsParameters::TLSv1_1:
    return Version::k1_1;
  case tls_v3::TlsParameters::TLSv1_2:
    return Version::k1_2;
  case tls_v3::TlsParameters::TLSv1_3:
    return Version::k1_3;
  default:
    return Version::kAuto;
  }
}

CompliancePolicy policyOf(tls_v3::TlsParameters::CompliancePolicy policy) {
  switch (policy) {
  case tls_v3::TlsParameters::FIPS_202205:
    return CompliancePolicy::kFips202205;
  case tls_v3::TlsParameters::CNSA2_202603:
    return CompliancePolicy::kCnsa2_202603;
  case tls_v3::TlsParameters::CNSA1_202603:
    return CompliancePolicy::kCnsa1_202603;
  default:
    return CompliancePolicy::kNone;
  }
}

template <class Strings> std::vector<std::string> listOf(const Strings& strings) {
  return {strings.begin(), strings.end()};
}

Params readParams(const tls_v3::TlsParameters& proto) {
  Params params;
  params.min = versionOf(proto.tls_minimum_protocol_version());
  params.max = versionOf(proto.tls_maximum_protocol_version());
  params.cipher_suites = listOf(proto.cipher_suites());
  params.groups = listOf(proto.ecdh_curves());
  params.signature_algorithms = listOf(proto.signature_algorithms());
  if (proto.compliance_policies_size() > 0) { // One at most.
    params.policy = policyOf(proto.compliance_policies(0));
  }
  params.path = "tls_params";
  return params;
}

absl::StatusOr<CertificateConfig> readCertificate(const tls_v3::TlsCertificate& proto,
                                                  const std::string& path) {
  CertificateConfig certificate;
  certificate.path = path;
  // What is missing is said with Envoy's words for each: an unreadable file counts as empty.
  if (proto.has_certificate_chain()) {
    certificate.chain = readSourceOrEmpty(proto.certificate_chain());
  }
  if (proto.has_private_key()) {
    certificate.key = readSourceOrEmpty(proto.private_key());
  }
  if (proto.has_pkcs12()) {
    auto bundle = readSource(proto.pkcs12(), path + ".pkcs12");
    if (!bundle.ok()) {
      return bundle.status();
    }
    certificate.pkcs12 = *std::move(bundle);
  }
  if (proto.has_password()) {
    auto password = readSource(proto.password(), path + ".password");
    if (!password.ok()) {
      return password.status();
    }
    certificate.password = password->text;
  }
  return certificate;
}

absl::StatusOr<SanMatcher> readMatcher(SanType type, const matcher_v3::StringMatcher& proto,
                                       const std::string& path) {
  auto text = match::makeStringMatch(proto);
  if (!text.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, text.status().message()));
  }
  const bool exact = proto.match_pattern_case() == matcher_v3::StringMatcher::kExact;
  return SanMatcher(type, *std::move(text), exact ? std::optional(proto.exact()) : std::nullopt);
}

SanType sanTypeOf(tls_v3::SubjectAltNameMatcher::SanType type) {
  switch (type) {
  case tls_v3::SubjectAltNameMatcher::DNS:
    return SanType::kDns;
  case tls_v3::SubjectAltNameMatcher::URI:
    return SanType::kUri;
  case tls_v3::SubjectAltNameMatcher::EMAIL:
    return SanType::kEmail;
  default:
    return SanType::kIp; // OTHER_NAME was refused before.
  }
}

absl::Status readSans(const tls_v3::CertificateValidationContext& proto,
                      ValidationConfig& validation) {
  const auto add = [&](SanType type, const matcher_v3::StringMatcher& matcher,
                       const std::string& path) {
    auto san = readMatcher(type, matcher, path);
    if (san.ok()) {
      validation.sans.push_back(*std::move(san));
    }
    return san.status();
  };
  for (int i = 0; i < proto.match_typed_subject_alt_names_size(); i++) {
    const auto& san = proto.match_typed_subject_alt_names(i);
    absl::Status status =
        add(sanTypeOf(san.san_type()), san.matcher(),
            absl::StrCat(validation.path, ".match_typed_subject_alt_names[", i, "].matcher"));
    if (!status.ok()) {
      return status;
    }
  }
  for (int i = 0; i < proto.match_subject_alt_names_size(); i++) { // The older field: any type.
    for (const SanType type : {SanType::kDns, SanType::kUri, SanType::kEmail, SanType::kIp}) {
      absl::Status status = add(type, proto.match_subject_alt_names(i),
                                absl::StrCat(validation.path, ".match_subject_alt_names[", i, "]"));
      if (!status.ok()) {
        return status;
      }
    }
  }
  return absl::OkStatus();
}

bool toDigest(const std::string& bytes, std::vector<Sha256>& digests) {
  Sha256 digest;
  if (bytes.size() != digest.size()) {
    return false;
  }
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  digests.push_back(digest);
  return true;
}

absl::Status readDigests(const tls_v3::CertificateValidationContext& proto,
                         ValidationConfig& validation) {
  for (int i = 0; i < proto.verify_certificate_hash_size(); i++) {
    const std::string& text = proto.verify_certificate_hash(i);
    const std::string hex = absl::StrReplaceAll(text, {{":", ""}});
    const bool is_hex = std::all_of(hex.begin(), hex.end(), absl::ascii_isxdigit);
    if (!is_hex || hex.size() != 2 * sizeof(Sha256) ||
        !toDigest(absl::HexStringToBytes(hex), validation.certificate_hashes)) {
      return errorAt(absl::StrCat(validation.path, ".verify_certificate_hash[", i, "]"),
                     "Invalid hex-encoded SHA-256 " + text);
    }
  }
  for (int i = 0; i < proto.verify_certificate_spki_size(); i++) {
    std::string bytes;
    if (!absl::Base64Unescape(proto.verify_certificate_spki(i), &bytes) ||
        !toDigest(bytes, validation.key_hashes)) {
      return errorAt(absl::StrCat(validation.path, ".verify_certificate_spki[", i, "]"),
                     "Invalid base64-encoded SHA-256 " + proto.verify_certificate_spki(i));
    }
  }
  return absl::OkStatus();
}

absl::Status readRoots(const tls_v3::CertificateValidationContext& proto,
                       ValidationConfig& validation) {
  if (proto.has_trusted_ca()) {
    auto roots = readSource(proto.trusted_ca(), validation.path + ".trusted_ca");
    if (!roots.ok()) {
      return roots.status();
    }
    validation.trusted_ca = *std::move(roots);
  }
  if (proto.has_crl()) {
    auto crl = readSource(proto.crl(), validation.path + ".crl");
    if (!crl.ok()) {
      return crl.status();
    }
    validation.crl = *std::move(crl);
  }
  return absl::OkStatus();
}

absl::StatusOr<ValidationConfig> readValidation(const tls_v3::CertificateValidationContext& proto,
                                                const std::string& path) {
  ValidationConfig validation;
  validation.path = path;
  validation.system_roots = proto.has_system_root_certs();
  validation.allow_expired = proto.allow_expired_certificate();
  validation.accept_untrusted =
      proto.trust_chain_verification() == tls_v3::CertificateValidationContext::ACCEPT_UNTRUSTED;
  validation.only_leaf_crl = proto.only_verify_leaf_cert_crl();
  validation.suppress_client_ca_list = proto.suppress_client_ca_list();
  if (proto.has_max_verify_depth()) {
    validation.max_depth = proto.max_verify_depth().value();
  }
  absl::Status status = readRoots(proto, validation);
  status.Update(status.ok() ? readSans(proto, validation) : status);
  status.Update(status.ok() ? readDigests(proto, validation) : status);
  if (!status.ok()) {
    return status;
  }
  return validation;
}

absl::Status readCertificates(const tls_v3::CommonTlsContext& proto, const NamedSecrets& secrets,
                              ContextConfig& config) {
  const auto add = [&](const tls_v3::TlsCertificate& certificate, const std::string& path,
                       const std::string& name) {
    auto read = readCertificate(certificate, path);
    if (read.ok()) {
      config.certificates.push_back(*std::move(read));
      config.certificates.back().name = name;
    }
    return read.status();
  };
  absl::Status status;
  for (int i = 0; i < proto.tls_certificates_size() && status.ok(); i++) {
    status = add(proto.tls_certificates(i), absl::StrCat("tls_certificates[", i, "]"), "");
  }
  for (size_t i = 0; i < secrets.certificates.size() && status.ok(); i++) {
    const NamedSecret& secret = *secrets.certificates[i];
    status = add(secret.get()->tls_certificate(),
                 absl::StrCat("tls_certificate_sds_secret_configs[", i, "]"), secret.name());
  }
  return status;
}

// Of combined rules the secret's are added to those that stand here.
absl::Status readRules(const tls_v3::CommonTlsContext& proto, const NamedSecrets& secrets,
                       ContextConfig& config) {
  std::string path = "validation_context";
  tls_v3::CertificateValidationContext rules = proto.validation_context();
  if (secrets.validation != nullptr) {
    path = "validation_context_sds_secret_config";
    rules = proto.combined_validation_context().default_validation_context();
    rules.MergeFrom(secrets.validation->get()->validation_context());
  } else if (!proto.has_validation_context()) {
    return absl::OkStatus();
  }
  auto validation = readValidation(rules, path);
  if (validation.ok()) {
    config.validation = *std::move(validation);
    config.validation->name = secrets.validation == nullptr ? "" : secrets.validation->name();
  }
  return validation.status();
}

void addDirectory(const envoy::config::core::v3::WatchedDirectory& directory,
                  const std::string& path, std::vector<WatchedFile>& files) {
  files.push_back({path + ".watched_directory.path", directory.path() + "/"});
}

} // namespace

absl::StatusOr<ContextConfig> readCommon(const tls_v3::CommonTlsContext& proto,
                                         const NamedSecrets& secrets) {
  ContextConfig config;
  config.params = readParams(proto.tls_params());
  config.alpn_protocols = listOf(proto.alpn_protocols());
  config.key_log_path = proto.key_log().path();
  absl::Status status = readCertificates(proto, secrets, config);
  status.Update(status.ok() ? readRules(proto, secrets, config) : status);
  if (!status.ok()) {
    return status;
  }
  return config;
}

absl::Status checkSecret(const NamedSecret::Message& secret) {
  if (secret.has_tls_certificate()) {
    auto certificate = readCertificate(secret.tls_certificate(), "tls_certificate");
    return certificate.ok() ? culvert::tls::check(*certificate) : certificate.status();
  }
  auto validation = readValidation(secret.validation_context(), "validation_context");
  return validation.ok() ? culvert::tls::check(*validation) : validation.status();
}

culvert::tls::ServerConfig readServer(const tls_v3::DownstreamTlsContext& proto) {
  culvert::tls::ServerConfig server;
  server.require_client_certificate = proto.require_client_certificate().value();
  server.stateless_resumption = !proto.disable_stateless_session_resumption();
  server.stateful_resumption = !proto.disable_stateful_session_resumption();
  server.prefer_client_ciphers = proto.prefer_client_ciphers();
  if (proto.has_session_timeout()) {
    server.session_timeout = std::chrono::seconds(proto.session_timeout().seconds());
  }
  return server;
}

culvert::tls::ClientConfig readClient(const tls_v3::UpstreamTlsContext& proto) {
  culvert::tls::ClientConfig client;
  client.server_name = proto.sni();
  client.host_name_first = proto.auto_host_sni();
  if (proto.has_max_session_keys()) {
    client.sessions_max = proto.max_session_keys().value();
  }
  return client;
}

std::vector<WatchedFile> watchedFiles(const tls_v3::CommonTlsContext& proto) {
  std::vector<WatchedFile> files;
  for (int i = 0; i < proto.tls_certificates_size(); i++) {
    const tls_v3::TlsCertificate& certificate = proto.tls_certificates(i);
    const std::string path = absl::StrCat("tls_certificates[", i, "]");
    if (certificate.has_watched_directory()) {
      addDirectory(certificate.watched_directory(), path, files);
    }
  }
  const std::string path = "validation_context";
  const tls_v3::CertificateValidationContext& validation = proto.validation_context();
  if (validation.has_watched_directory()) {
    addDirectory(validation.watched_directory(), path, files);
  }
  return files;
}

} // namespace culvert::config::tls
