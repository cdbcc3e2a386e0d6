// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "source/base/clock.h"

namespace culvert::net {

// A certificate in words. Numbers and digests are lower-case hex, names as in RFC 2253.
struct CertificateFacts {
  std::string subject;
  std::string issuer;
  std::string serial;
  std::string sha256;
  std::string sha1;
  std::string pem;
  std::vector<std::string> uri_sans;
  std::vector<std::string> dns_sans;
  std::vector<std::string> ip_sans;
  std::vector<std::string> email_sans;
  std::vector<std::string> other_sans;
  base::WallTime valid_from;
  base::WallTime valid_to;
};

// What a handshake agreed on; empty where it has not come so far.
struct TlsFacts {
  std::string version; // "TLSv1.3"
  std::string cipher;  // OpenSSL's name.
  std::string group;   // "X25519", "P-256"
  std::string session_id;
  std::string server_name; // SNI
  std::string protocol;    // ALPN
};

// The TLS of one connection, for logs and for filters that decide by who the peer is. What is not
// asked for is not computed.
// Threads: the connection's loop. Lifetime: shared; outlives the transport where somebody holds it.
class TlsInfo {
public:
  virtual ~TlsInfo() = default;

  virtual TlsFacts facts() const = 0;
  // The peer's own certificate; null when it showed none. It may be one that was refused.
  virtual const CertificateFacts* peer() const = 0;
  // What the peer sent, its own first.
  virtual std::vector<CertificateFacts> peerChain() const = 0;
  // Who signed the peer's, where that is known for sure.
  virtual const CertificateFacts* peerIssuer() const = 0;
  virtual const CertificateFacts* local() const = 0;
  // Whether the peer's certificate passed everything that was asked of it.
  virtual bool peerCertificateValidated() const = 0;
  // Whether the connection ended because the peer's certificate was revoked since.
  virtual bool peerRevoked() const { return false; }

  bool peerCertificatePresented() const { return peer() != nullptr; }
  std::vector<std::string> peerUriSans() const { return peer() ? peer()->uri_sans : none(); }
  std::vector<std::string> peerDnsSans() const { return peer() ? peer()->dns_sans : none(); }
  std::string peerSubject() const { return peer() ? peer()->subject : std::string(); }
  std::string sni() const { return facts().server_name; }

private:
  static std::vector<std::string> none() { return {}; }
};

} // namespace culvert::net
