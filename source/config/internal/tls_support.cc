// SPDX-License-Identifier: Apache-2.0
#include "source/config/internal/support_rows.h"

namespace culvert::config {
namespace {

using namespace support_rows;

constexpr absl::string_view kDownstreamTls =
    "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
constexpr absl::string_view kUpstreamTls =
    "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
constexpr absl::string_view kCommonTls =
    "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext";
constexpr absl::string_view kTlsParameters =
    "envoy.extensions.transport_sockets.tls.v3.TlsParameters";
constexpr absl::string_view kTlsCertificate =
    "envoy.extensions.transport_sockets.tls.v3.TlsCertificate";
constexpr absl::string_view kTlsValidation =
    "envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext";
constexpr absl::string_view kCombined = "envoy.extensions.transport_sockets.tls.v3."
                                        "CommonTlsContext.CombinedCertificateValidationContext";
constexpr absl::string_view kSecret = "envoy.extensions.transport_sockets.tls.v3.Secret";
constexpr absl::string_view kTicketKeys = "each process makes ticket keys of its own";

constexpr FieldSupport kFields[] = {
    {kDownstreamTls, kHonoured,
     "common_tls_context require_client_certificate disable_stateless_session_resumption "
     "disable_stateful_session_resumption session_timeout prefer_client_ciphers "
     "ocsp_staple_policy",
     ""},
    {kDownstreamTls, kIgnored, "require_sni", "Envoy does not look at it either"},
    {kDownstreamTls, kIgnored, "session_ticket_keys session_ticket_keys_sds_secret_config",
     kTicketKeys},
    {kDownstreamTls, kIgnored, "full_scan_certs_on_sni_mismatch",
     "who asks for another name always gets a certificate of a kind that it can use"},
    {kUpstreamTls, kHonoured,
     "common_tls_context sni auto_host_sni auto_sni_san_validation max_session_keys", ""},
    {kUpstreamTls, kRefused, "allow_renegotiation", "renegotiation is not safe"},
    {kUpstreamTls, kIgnored, "enforce_rsa_key_usage",
     "key usages are always enforced, in Envoy too"},
    {kCommonTls, kHonoured,
     "tls_params tls_certificates tls_certificate_sds_secret_configs validation_context "
     "validation_context_sds_secret_config combined_validation_context alpn_protocols key_log",
     ""},
    {kCommonTls, kRefused,
     "tls_certificate_provider_instance tls_certificate_certificate_provider "
     "tls_certificate_certificate_provider_instance validation_context_certificate_provider "
     "validation_context_certificate_provider_instance",
     "certificates come from files or SDS"},
    {kCommonTls, kRefused, "custom_tls_certificate_selector custom_handshaker",
     "handshakes are the TLS library's"},
    {"envoy.extensions.transport_sockets.tls.v3.TlsKeyLog", kHonoured, "path", ""},
    {"envoy.extensions.transport_sockets.tls.v3.TlsKeyLog", kNotYet,
     "local_address_range remote_address_range", "keys of some connections only"},
    {kTlsParameters, kHonoured,
     "tls_minimum_protocol_version tls_maximum_protocol_version cipher_suites ecdh_curves "
     "signature_algorithms compliance_policies",
     ""},
    {kTlsCertificate, kHonoured, "certificate_chain private_key pkcs12 password watched_directory",
     ""},
    {kTlsCertificate, kIgnored, "ocsp_staple signed_certificate_timestamp", kStapling},
    {kTlsCertificate, kRefused, "private_key_provider", "private keys come from files or SDS"},
    {kTlsCertificate, kNotYet, "tls_params", "parameters of single certificates"},
    {kTlsValidation, kHonoured,
     "trusted_ca system_root_certs watched_directory verify_certificate_spki "
     "verify_certificate_hash match_typed_subject_alt_names match_subject_alt_names crl "
     "allow_expired_certificate trust_chain_verification only_verify_leaf_cert_crl "
     "max_verify_depth suppress_client_ca_list",
     ""},
    {kTlsValidation, kRefused, "require_signed_certificate_timestamp",
     "timestamps of certificates are not checked"},
    {kTlsValidation, kNotYet, "custom_validator_config", "trust bundles by SPIFFE domain"},
    {kTlsValidation, kRefused, "ca_certificate_provider_instance",
     "certificates come from files or SDS"},
    {"envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext.SystemRootCerts",
     kHonoured, "*", ""},
    {"envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher", kHonoured,
     "san_type matcher", ""},
    {"envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher", kRefused, "oid",
     kOtherNames},
    {kCombined, kHonoured, "default_validation_context validation_context_sds_secret_config", ""},
    {kCombined, kRefused,
     "validation_context_certificate_provider validation_context_certificate_provider_instance",
     "certificates come from files or SDS"},
    {"envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig", kHonoured, "name sds_config", ""},
    {kSecret, kHonoured, "name tls_certificate validation_context", ""},
    {kSecret, kIgnored, "session_ticket_keys", kTicketKeys},
    {kSecret, kRefused, "generic_secret", "nothing asks for such secrets"},
    {"envoy.config.core.v3.WatchedDirectory", kHonoured, "path", ""},
    {"envoy.config.core.v3.WatchedDirectory", kIgnored, "watch_modify",
     "what is written in place is always seen"},
};

} // namespace

absl::Span<const FieldSupport> tlsFields() { return kFields; }

} // namespace culvert::config
