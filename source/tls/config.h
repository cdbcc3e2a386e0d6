// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/base/clock.h"
#include "source/tls/san_matcher.h"

namespace culvert::tls {

class Revocations;

// TLS as configured: plain values, already read from their files. `path` is where each stands in
// the message it came from, and begins the errors about it.

enum class Version : uint8_t { kAuto, k1_0, k1_1, k1_2, k1_3 };

// Envoy's policies: each replaces what Params says by what the standard allows.
enum class CompliancePolicy : uint8_t { kNone, kFips202205, kCnsa2_202603, kCnsa1_202603 };

struct Params {
  Version min = Version::kAuto;
  Version max = Version::kAuto;
  std::vector<std::string> cipher_suites; // Of TLS 1.2 and before; empty: Envoy's.
  std::string tls13_suites;               // With colons between; empty: the library's.
  std::vector<std::string> groups;
  std::vector<std::string> signature_algorithms;
  CompliancePolicy policy = CompliancePolicy::kNone;
  std::string path;
};

struct Source {
  std::string text;
  std::string name; // "<inline>", or the file that it was in.
};

struct CertificateConfig {
  std::optional<Source> chain; // PEM, with the private key in `key`; or both in `pkcs12`.
  std::optional<Source> key;
  std::optional<Source> pkcs12;
  std::string password;
  std::string name; // Of the secret, for statistics.
  std::string path;
};

using Sha256 = std::array<uint8_t, 32>;

struct ValidationConfig {
  std::optional<Source> trusted_ca;
  std::optional<Source> crl;
  std::shared_ptr<Revocations> revocations; // Lists that change meanwhile; null: none.
  bool system_roots = false;
  std::vector<SanMatcher> sans; // Any of them will do.
  std::vector<Sha256> certificate_hashes;
  std::vector<Sha256> key_hashes;
  bool match_server_name = false; // Instead of `sans`, where one is asked for.
  bool allow_expired = false;
  bool accept_untrusted = false;
  bool only_leaf_crl = false;
  bool suppress_client_ca_list = false;
  uint32_t max_depth = 100;
  std::string name; // Of the secret, for statistics.
  std::string path;
};

struct ContextConfig {
  Params params;
  std::vector<CertificateConfig> certificates;
  std::optional<ValidationConfig> validation;
  std::vector<std::string> alpn_protocols;
  std::string key_log_path;
};

struct ServerConfig {
  bool require_client_certificate = false;
  bool stateless_resumption = true;
  bool stateful_resumption = true;
  bool prefer_client_ciphers = false;
  bool require_protocol = false; // A client that offers protocols, but none of ours, is refused.
  std::optional<base::Duration> session_timeout;
};

struct ClientConfig {
  std::string server_name;      // SNI; empty: none.
  bool host_name_first = false; // The host's own name instead, where it has one.
  uint32_t sessions_max = 1;
};

} // namespace culvert::tls
