// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "source/access_log/internal/operator.h"
#include "source/access_log/internal/time_format.h"
#include "source/net/connection_info.h"

namespace culvert::access_log::internal {
namespace {

using net::CertificateFacts;
using net::TlsFacts;
using net::TlsInfo;

enum class Side : uint8_t { kDownstream, kUpstream };
using Pick = const CertificateFacts* (TlsInfo::*)() const;

template <Side kSide> const TlsInfo* tlsOf(const Entry& entry) {
  if constexpr (kSide == Side::kDownstream) {
    return entry.info.tls;
  } else {
    return entry.info.upstream == nullptr ? nullptr : entry.info.upstream->tls.get();
  }
}

template <Side kSide, Pick kPick> const CertificateFacts* certificateOf(const Entry& entry) {
  const TlsInfo* const tls = tlsOf<kSide>(entry);
  return tls == nullptr ? nullptr : (tls->*kPick)();
}

Found append(const std::string& text, std::string& out) {
  out += text;
  return text.empty() ? Found::kNothing : Found::kText;
}

template <Side kSide, auto kMember>
Found printFact(const Operator&, const Entry& entry, std::string& out) {
  const TlsInfo* const tls = tlsOf<kSide>(entry);
  return tls == nullptr ? Found::kNothing : append(tls->facts().*kMember, out);
}

template <Side kSide, Pick kPick, auto kMember>
Found printText(const Operator&, const Entry& entry, std::string& out) {
  const CertificateFacts* const certificate = certificateOf<kSide, kPick>(entry);
  return certificate == nullptr ? Found::kNothing : append(certificate->*kMember, out);
}

template <Side kSide, Pick kPick, auto kMember>
Found printList(const Operator&, const Entry& entry, std::string& out) {
  const CertificateFacts* const certificate = certificateOf<kSide, kPick>(entry);
  return certificate == nullptr ? Found::kNothing
                                : append(absl::StrJoin(certificate->*kMember, ","), out);
}

// Of every certificate that the peer sent.
template <auto kMember> Found printChain(const Operator&, const Entry& entry, std::string& out) {
  std::string text;
  if (entry.info.tls != nullptr) {
    for (const CertificateFacts& certificate : entry.info.tls->peerChain()) {
      absl::StrAppend(&text, text.empty() ? "" : ",", certificate.*kMember);
    }
  }
  return append(text, out);
}

// PEM that stays one word: as in a URL.
template <Side kSide> Found printPem(const Operator&, const Entry& entry, std::string& out) {
  const CertificateFacts* const certificate = certificateOf<kSide, &TlsInfo::peer>(entry);
  if (certificate == nullptr) {
    return Found::kNothing;
  }
  for (const char c : certificate->pem) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || absl::string_view("-_.~").find(c) != absl::string_view::npos) {
      out.push_back(c);
    } else {
      absl::StrAppendFormat(&out, "%%%02X", byte);
    }
  }
  return Found::kText;
}

template <Side kSide, auto kMember>
Found printTime(const Operator& op, const Entry& entry, std::string& out) {
  const CertificateFacts* const certificate = certificateOf<kSide, &TlsInfo::peer>(entry);
  if (certificate == nullptr) {
    return Found::kNothing;
  }
  op.time->append(certificate->*kMember, out);
  return Found::kText;
}

absl::Status parseTime(absl::string_view argument, Operator& op) {
  auto format = TimeFormat::create(argument, TimeFormat::Zone::kUtc);
  if (format.ok()) {
    op.time = *std::move(format);
  }
  return format.status();
}

constexpr Side kDown = Side::kDownstream, kUp = Side::kUpstream;
constexpr Pick kPeer = &TlsInfo::peer, kLocal = &TlsInfo::local, kIssuer = &TlsInfo::peerIssuer;

constexpr Command kCommands[] = {
    {"DOWNSTREAM_TLS_CIPHER", kBare, printFact<kDown, &TlsFacts::cipher>},
    {"DOWNSTREAM_TLS_GROUP", kBare, printFact<kDown, &TlsFacts::group>},
    {"DOWNSTREAM_TLS_SESSION_ID", kBare, printFact<kDown, &TlsFacts::session_id>},
    {"DOWNSTREAM_TLS_VERSION", kBare, printFact<kDown, &TlsFacts::version>},
    {"DOWNSTREAM_PEER_URI_SAN", kBare, printList<kDown, kPeer, &CertificateFacts::uri_sans>},
    {"DOWNSTREAM_PEER_DNS_SAN", kBare, printList<kDown, kPeer, &CertificateFacts::dns_sans>},
    {"DOWNSTREAM_PEER_IP_SAN", kBare, printList<kDown, kPeer, &CertificateFacts::ip_sans>},
    {"DOWNSTREAM_PEER_EMAIL_SAN", kBare, printList<kDown, kPeer, &CertificateFacts::email_sans>},
    {"DOWNSTREAM_PEER_OTHERNAME_SAN", kBare,
     printList<kDown, kPeer, &CertificateFacts::other_sans>},
    {"DOWNSTREAM_LOCAL_URI_SAN", kBare, printList<kDown, kLocal, &CertificateFacts::uri_sans>},
    {"DOWNSTREAM_LOCAL_DNS_SAN", kBare, printList<kDown, kLocal, &CertificateFacts::dns_sans>},
    {"DOWNSTREAM_LOCAL_IP_SAN", kBare, printList<kDown, kLocal, &CertificateFacts::ip_sans>},
    {"DOWNSTREAM_LOCAL_EMAIL_SAN", kBare, printList<kDown, kLocal, &CertificateFacts::email_sans>},
    {"DOWNSTREAM_LOCAL_OTHERNAME_SAN", kBare,
     printList<kDown, kLocal, &CertificateFacts::other_sans>},
    {"DOWNSTREAM_PEER_SUBJECT", kBare, printText<kDown, kPeer, &CertificateFacts::subject>},
    {"DOWNSTREAM_LOCAL_SUBJECT", kBare, printText<kDown, kLocal, &CertificateFacts::subject>},
    {"DOWNSTREAM_PEER_ISSUER", kBare, printText<kDown, kPeer, &CertificateFacts::issuer>},
    {"DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256", kBare,
     printText<kDown, kIssuer, &CertificateFacts::sha256>},
    {"DOWNSTREAM_PEER_ISSUER_SERIAL", kBare, printText<kDown, kIssuer, &CertificateFacts::serial>},
    {"DOWNSTREAM_PEER_SERIAL", kBare, printText<kDown, kPeer, &CertificateFacts::serial>},
    {"DOWNSTREAM_PEER_CERT", kBare, printPem<kDown>},
    {"DOWNSTREAM_PEER_FINGERPRINT_256", kBare, printText<kDown, kPeer, &CertificateFacts::sha256>},
    {"DOWNSTREAM_PEER_FINGERPRINT_1", kBare, printText<kDown, kPeer, &CertificateFacts::sha1>},
    {"DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256", kBare, printChain<&CertificateFacts::sha256>},
    {"DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1", kBare, printChain<&CertificateFacts::sha1>},
    {"DOWNSTREAM_PEER_CHAIN_SERIALS", kBare, printChain<&CertificateFacts::serial>},
    {"DOWNSTREAM_PEER_CERT_V_START", kMayHaveArgument,
     printTime<kDown, &CertificateFacts::valid_from>, parseTime},
    {"DOWNSTREAM_PEER_CERT_V_END", kMayHaveArgument, printTime<kDown, &CertificateFacts::valid_to>,
     parseTime},
    {"UPSTREAM_SERVER_NAME", kBare, printFact<kUp, &TlsFacts::server_name>},
    {"UPSTREAM_TLS_CIPHER", kBare, printFact<kUp, &TlsFacts::cipher>},
    {"UPSTREAM_TLS_GROUP", kBare, printFact<kUp, &TlsFacts::group>},
    {"UPSTREAM_TLS_SESSION_ID", kBare, printFact<kUp, &TlsFacts::session_id>},
    {"UPSTREAM_TLS_VERSION", kBare, printFact<kUp, &TlsFacts::version>},
    {"UPSTREAM_PEER_ISSUER", kBare, printText<kUp, kPeer, &CertificateFacts::issuer>},
    {"UPSTREAM_PEER_SUBJECT", kBare, printText<kUp, kPeer, &CertificateFacts::subject>},
    {"UPSTREAM_PEER_CERT", kBare, printPem<kUp>},
    {"UPSTREAM_PEER_URI_SAN", kBare, printList<kUp, kPeer, &CertificateFacts::uri_sans>},
    {"UPSTREAM_PEER_DNS_SAN", kBare, printList<kUp, kPeer, &CertificateFacts::dns_sans>},
    {"UPSTREAM_PEER_IP_SAN", kBare, printList<kUp, kPeer, &CertificateFacts::ip_sans>},
    {"UPSTREAM_LOCAL_URI_SAN", kBare, printList<kUp, kLocal, &CertificateFacts::uri_sans>},
    {"UPSTREAM_LOCAL_DNS_SAN", kBare, printList<kUp, kLocal, &CertificateFacts::dns_sans>},
    {"UPSTREAM_LOCAL_IP_SAN", kBare, printList<kUp, kLocal, &CertificateFacts::ip_sans>},
    {"UPSTREAM_PEER_CERT_V_START", kMayHaveArgument, printTime<kUp, &CertificateFacts::valid_from>,
     parseTime},
    {"UPSTREAM_PEER_CERT_V_END", kMayHaveArgument, printTime<kUp, &CertificateFacts::valid_to>,
     parseTime},
};

} // namespace

absl::Span<const Command> tlsCommands() { return kCommands; }

} // namespace culvert::access_log::internal
