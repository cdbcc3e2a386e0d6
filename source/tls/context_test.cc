// SPDX-License-Identifier: Apache-2.0
#include "source/tls/context.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "source/tls/context_fixture_for_test.h"
#include "source/tls/internal/certificate.h"

namespace culvert::tls {
namespace {

TEST_F(ContextTest, EveryVersionCarriesBytesBothWays) {
  for (const Version version : {Version::k1_0, Version::k1_1, Version::k1_2, Version::k1_3}) {
    server_config_.params.min = client_config_.params.min = version;
    server_config_.params.max = client_config_.params.max = version;
    if (version < Version::k1_2) { // The default ciphers are of TLS 1.2.
      server_config_.params.cipher_suites =
          client_config_.params.cipher_suites = {"ECDHE-ECDSA-AES128-SHA"};
    } else {
      server_config_.params.cipher_suites = client_config_.params.cipher_suites = {};
    }
    server_context_ = nullptr;
    begin("lab.test");
    expectConnected();
    up_->write("hello");
    down_->write("world");
    EXPECT_TRUE(
        pair_.until([&] { return down_->received == "hello" && up_->received == "world"; }));
    EXPECT_EQ(down_->info->facts().version, up_->info->facts().version);
    EXPECT_EQ(down_->info->sni(), "lab.test");
  }
  pair_.loop().runOnce(false);
  EXPECT_EQ(serverStat("versions.TLSv1"), 1u);
  EXPECT_EQ(serverStat("versions.TLSv1.3"), 1u);
  EXPECT_EQ(serverStat("handshake"), 4u);
  EXPECT_EQ(serverStat("no_certificate"), 4u);
  EXPECT_EQ(serverStat("curves.X25519"), 4u);
}

TEST_F(ContextTest, DefaultsAreThoseOfEnvoy) {
  begin();
  expectConnected();
  EXPECT_EQ(up_->info->facts().version, "TLSv1.2"); // A client's maximum.
  EXPECT_EQ(up_->info->facts().group, "X25519");
  client_config_.params.min = client_config_.params.max = Version::k1_1;
  client_config_.params.cipher_suites = {"ECDHE-ECDSA-AES128-SHA"};
  server_context_ = nullptr;
  EXPECT_PRED2(has, serverRefuses(), "UNSUPPORTED_PROTOCOL");
  EXPECT_EQ(up_->failure(), "TLS_error:|268436526:SSL routines:OPENSSL_internal:"
                            "TLSV1_ALERT_PROTOCOL_VERSION:TLS_error_end");
  EXPECT_EQ(serverStat("connection_error"), 1u);
}

TEST_F(ContextTest, BulkComesWholeThroughSmallSockets) {
  client_config_.params.max = Version::k1_3;
  begin();
  expectConnected();
  std::string sent;
  for (int i = 0; sent.size() < 5'000'000; i++) {
    sent += std::to_string(i);
  }
  for (size_t at = 0; at < sent.size(); at += 300'000) { // Pieces of which some wait.
    up_->write(absl::string_view(sent).substr(at, 300'000));
  }
  EXPECT_TRUE(up_->blocked);
  EXPECT_TRUE(pair_.until([&] { return down_->received.size() == sent.size(); }));
  EXPECT_EQ(down_->received, sent);
  EXPECT_FALSE(up_->blocked);
  EXPECT_EQ(up_->connection->bytesSent(), sent.size());
}

TEST_F(ContextTest, EndOfStreamGoesEachWayByItself) {
  begin();
  expectConnected();
  up_->write("question", true);
  EXPECT_TRUE(pair_.until([&] { return down_->ended; }));
  EXPECT_EQ(down_->received, "question");
  down_->write("answer", true);
  EXPECT_TRUE(pair_.until([&] { return up_->closed && down_->closed; }));
  EXPECT_EQ(up_->received, "answer");
  EXPECT_TRUE(up_->ended);
  EXPECT_EQ(up_->reason.code, net::CloseCode::kPeerClosed);
}

TEST_F(ContextTest, AnEndWithoutCloseNotifyIsAnEndAllTheSame) {
  begin();
  expectConnected();
  down_->connection->io().close(false); // close_notify, and the end of the socket below it.
  EXPECT_TRUE(pair_.until([&] { return up_->ended; }));
}

TEST_F(ContextTest, ProtocolIsTheFirstOfTheServersThatTheClientOffers) {
  server_config_.alpn_protocols = {"h2", "lab/1"};
  client_config_.alpn_protocols = {"other", "lab/1"};
  begin();
  expectConnected();
  EXPECT_EQ(down_->info->facts().protocol, "lab/1");
  EXPECT_EQ(up_->info->facts().protocol, "lab/1");
  client_config_.alpn_protocols = {"other"};
  server_context_ = nullptr;
  begin();
  expectConnected();
  EXPECT_EQ(down_->info->facts().protocol, "");
}

TEST_F(ContextTest, PeerIsKnownByItsCertificate) {
  wantMutual();
  server_config_.validation->sans = {uri("spiffe://other"), uri(kClientSan)};
  begin();
  expectConnected();
  EXPECT_TRUE(down_->info->peerCertificatePresented());
  EXPECT_TRUE(down_->info->peerCertificateValidated());
  EXPECT_EQ(down_->info->peerUriSans(), Names({kClientSan}));
  EXPECT_EQ(down_->info->peerSubject(), "CN=client");
  const net::CertificateFacts& peer = *down_->info->peer();
  EXPECT_EQ(peer.issuer, "CN=lab root");
  EXPECT_EQ(peer.ip_sans, Names({"127.0.0.1"}));
  EXPECT_EQ(peer.email_sans, Names({"a@b.c"}));
  EXPECT_EQ(peer.sha256.size(), 64u);
  EXPECT_EQ(down_->info->peerIssuer()->subject, "CN=lab root");
  EXPECT_EQ(down_->info->local()->subject, "CN=server");
  EXPECT_EQ(down_->info->peerChain().size(), 1u);
  EXPECT_EQ(up_->info->peerChain().size(), 1u);
  EXPECT_FALSE(up_->info->peerCertificateValidated()); // Nobody asked it to look.
}

TEST_F(ContextTest, OtherNameIsRefused) {
  wantMutual();
  server_config_.validation->sans = {uri("spiffe://other")};
  EXPECT_EQ(serverRefuses(),
            "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify "
            "cert failed: SAN matcher, certificate SANs are [127.0.0.1, a@b.c, "
            "spiffe://lab.test/ns/default/sa/client]:TLS_error_end");
  EXPECT_PRED2(has, up_->failure(), "SSLV3_ALERT_CERTIFICATE_UNKNOWN");
  EXPECT_EQ(serverStat("fail_verify_san"), 1u);
  EXPECT_EQ(serverStat("connection_error"), 0u);
}

TEST_F(ContextTest, OtherAuthorityIsRefused) {
  wantMutual();
  server_config_.validation = trusting(other_authority_);
  EXPECT_EQ(serverRefuses(),
            "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify "
            "cert failed: X509_verify_cert: certificate verification error at depth 0: unable to "
            "get local issuer certificate:TLS_error_end");
  EXPECT_PRED2(has, up_->failure(), "TLSV1_ALERT_UNKNOWN_CA");
  EXPECT_EQ(serverStat("fail_verify_error"), 1u);
  server_config_.validation->accept_untrusted = true;
  server_context_ = nullptr;
  begin();
  expectConnected();
  EXPECT_FALSE(down_->info->peerCertificateValidated());
}

TEST_F(ContextTest, NoCertificateIsRefusedWhenOneIsRequired) {
  wantMutual();
  client_config_.certificates.clear();
  EXPECT_EQ(serverRefuses(),
            "TLS_error:|268435648:SSL routines:OPENSSL_internal:PEER_DID_NOT_RETURN_A_CERTIFICATE:"
            "peer did not provide required client certificate:TLS_error_end");
  EXPECT_EQ(serverStat("fail_verify_no_cert"), 1u);
  EXPECT_EQ(serverStat("connection_error"), 0u);
  server_.require_client_certificate = false;
  server_context_ = nullptr;
  begin();
  expectConnected();
}

TEST_F(ContextTest, RulesAboutCertificatesRequireOne) {
  server_config_.validation = trusting(authority_);
  begin();
  expectConnected(); // Roots alone ask, and take no for an answer.
  server_config_.validation->sans = {uri(kClientSan)};
  server_context_ = nullptr;
  EXPECT_PRED2(has, serverRefuses(), "PEER_DID_NOT_RETURN_A_CERTIFICATE");
  server_config_.validation->accept_untrusted = true;
  server_context_ = nullptr;
  begin();
  expectConnected();
}

TEST_F(ContextTest, ExpiredIsRefusedUnlessAllowed) {
  wantMutual();
  client_config_.certificates = {certificateOf(
      authority_.issue({.common_name = "old", .starts_in_s = -7200, .ends_in_s = -3600}))};
  EXPECT_PRED2(has, serverRefuses(), "certificate has expired");
  EXPECT_PRED2(has, up_->failure(), "SSLV3_ALERT_CERTIFICATE_EXPIRED");
  server_config_.validation->allow_expired = true;
  server_context_ = nullptr;
  begin();
  expectConnected();
}

TEST_F(ContextTest, RevokedIsRefused) {
  wantMutual();
  server_config_.validation->crl = Source{authority_.crl({&client_certificate_}), "<inline>"};
  EXPECT_PRED2(has, serverRefuses(), "certificate revoked");
  EXPECT_PRED2(has, up_->failure(), "SSLV3_ALERT_CERTIFICATE_REVOKED");
  server_config_.validation->crl = Source{authority_.crl({&server_certificate_}), "<inline>"};
  server_context_ = nullptr;
  begin();
  expectConnected();
}

TEST_F(ContextTest, PinsAreByCertificateOrByKey) {
  wantMutual();
  ValidationConfig pins;
  pins.path = "validation_context";
  pins.certificate_hashes = {internal::digestOf(server_certificate_.certificate.get())};
  server_config_.validation = pins;
  EXPECT_PRED2(has, serverRefuses(), "verify cert failed: ");
  EXPECT_EQ(serverStat("fail_verify_cert_hash"), 1u);
  pins.key_hashes = {internal::keyDigestOf(client_certificate_.certificate.get())};
  server_config_.validation = pins;
  server_context_ = nullptr;
  begin();
  expectConnected();
}

TEST_F(ContextTest, ClientVerifiesTheServer) {
  client_config_.validation = trusting(authority_);
  begin();
  expectConnected();
  EXPECT_TRUE(up_->info->peerCertificateValidated());
  client_config_.validation = trusting(other_authority_);
  server_context_ = nullptr;
  EXPECT_PRED2(has, clientRefuses(), "unable to get local issuer certificate");
  EXPECT_PRED2(has, down_->failure(), "268436504");
}

TEST_F(ContextTest, ServerMustBeWhoWasAskedFor) {
  client_config_.validation = trusting(authority_);
  client_config_.validation->sans = {uri("spiffe://other")};
  client_config_.validation->match_server_name = true;
  begin("lab.test");
  expectConnected();
  begin("other.test");
  EXPECT_TRUE(pair_.until([&] { return up_->closed; }));
  EXPECT_PRED2(has, up_->failure(), "SAN matcher, certificate SANs are [lab.test, ");
  begin(); // Nobody was asked for: the other names count.
  EXPECT_TRUE(pair_.until([&] { return up_->closed; }));
}

TEST_F(ContextTest, RefusedPeerIsStillKnown) {
  wantMutual();
  server_config_.validation->sans = {uri("spiffe://other")};
  serverRefuses();
  EXPECT_EQ(down_->info->peerSubject(), "CN=client");
  EXPECT_EQ(down_->info->peerChain().size(), 1u);
  EXPECT_FALSE(down_->info->peerCertificateValidated());
  EXPECT_EQ(down_->info->facts().cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");
}

TEST_F(ContextTest, NameChoosesTheCertificate) {
  server_config_.certificates = {
      certificateOf(authority_.issue({.common_name = "first", .sans = "DNS:first.test"})),
      certificateOf(authority_.issue({.common_name = "wild", .sans = "DNS:*.lab.test"})),
      certificateOf(authority_.issue({.common_name = "exact", .sans = "DNS:a.lab.test"})),
      certificateOf(authority_.issue({.common_name = "plain.test", .sans = ""}))};
  const std::pair<const char*, const char*> cases[] = {
      {"first.test", "CN=first"}, {"b.lab.test", "CN=wild"}, {"A.lab.test", "CN=exact"},
      {"nobody", "CN=first"},     {"", "CN=first"},          {"plain.test", "CN=plain.test"}};
  for (const auto& [name, subject] : cases) {
    begin(name);
    expectConnected();
    EXPECT_EQ(up_->info->peerSubject(), subject) << name;
    EXPECT_EQ(down_->info->local()->subject, subject) << name;
  }
}

TEST_F(ContextTest, SessionsAreResumedOnRequest) {
  for (const Version version : {Version::k1_2, Version::k1_3}) {
    wantMutual();
    client_config_.params.max = version;
    client_config_.validation = trusting(authority_);
    server_context_ = nullptr;
    const uint64_t before = serverStat("session_reused");
    for (int i = 0; i < 2; i++) {
      begin("lab.test");
      expectConnected();
      down_->write("so that tickets are read");
      EXPECT_TRUE(pair_.until([&] { return !up_->received.empty(); }));
    }
    EXPECT_EQ(serverStat("session_reused"), before + 1);
    EXPECT_EQ(down_->info->peerUriSans(), Names({kClientSan}));
    EXPECT_TRUE(down_->info->peerCertificateValidated());
    begin("other.test"); // A session belongs to the name that it was made for.
    expectConnected();
    EXPECT_EQ(serverStat("session_reused"), before + 1);
  }
}

TEST_F(ContextTest, NoSessionIsResumedWhereThatIsOff) {
  server_.stateless_resumption = server_.stateful_resumption = false;
  for (int i = 0; i < 2; i++) {
    begin();
    expectConnected();
    down_->write("x");
    EXPECT_TRUE(pair_.until([&] { return !up_->received.empty(); }));
  }
  EXPECT_EQ(serverStat("session_reused"), 0u);
}

TEST_F(ContextTest, WhatIsWrongWithACertificateIsSaidInEnvoysWords) {
  CertificateConfig& certificate = server_config_.certificates[0];
  const CertificateConfig good = certificate;
  const std::string at = "tls_certificates[0]";
  certificate.key->text = client_certificate_.keyPem();
  EXPECT_EQ(serverError(),
            at + ".private_key: Failed to load private key from <inline>, Cause: error:0b000074:"
                 "X.509 certificate routines:OPENSSL_internal:KEY_VALUES_MISMATCH");
  certificate = certificateOf(authority_.issue({.rsa = true}));
  certificate.key = good.key;
  EXPECT_EQ(serverError(),
            at + ".private_key: Failed to load private key from <inline>, Cause: error:0b000073:"
                 "X.509 certificate routines:OPENSSL_internal:KEY_TYPE_MISMATCH");
  certificate = good;
  certificate.key->text = "garbage";
  EXPECT_EQ(serverError(),
            at + ".private_key: Failed to load private key from <inline>, Cause: error:0900006e:"
                 "PEM routines:OPENSSL_internal:NO_START_LINE");
  certificate.key->text = "";
  certificate.key->name = "/nonexist/k.pem";
  EXPECT_EQ(serverError(),
            at + ".private_key: Failed to load incomplete private key from path: /nonexist/k.pem");
  certificate = good;
  certificate.chain->text = "garbage";
  EXPECT_EQ(serverError(),
            at + ".certificate_chain: Failed to load certificate chain from <inline>");
  certificate.chain->text =
      good.chain->text + "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n";
  EXPECT_EQ(serverError(),
            at + ".certificate_chain: Failed to load certificate chain from <inline>");
  certificate.chain->text = "";
  EXPECT_EQ(serverError(), at + ".certificate_chain: Failed to load incomplete certificate from "
                                "<inline>: certificate chain not set");
  server_config_.certificates.clear();
  EXPECT_EQ(serverError(), "tls_certificates: No TLS certificates found for server context");
}

TEST_F(ContextTest, WhatIsWrongWithRulesIsSaidInEnvoysWords) {
  ValidationConfig validation;
  validation.path = "validation_context";
  validation.sans = {uri("a")};
  server_config_.validation = validation;
  EXPECT_EQ(serverError(), "validation_context.match_typed_subject_alt_names: SAN-based "
                           "verification of peer certificates without trusted CA is insecure and "
                           "not allowed");
  validation.sans.clear();
  validation.trusted_ca = Source{"garbage", "ca.pem"};
  server_config_.validation = validation;
  EXPECT_EQ(serverError(), "validation_context.trusted_ca: Failed to load trusted CA certificates "
                           "from ca.pem");
  validation.trusted_ca.reset();
  validation.crl = Source{"garbage", "crl.pem"};
  server_config_.validation = validation;
  EXPECT_EQ(serverError(),
            "validation_context.crl: Failed to load CRL from crl.pem without trusted CA");
}

TEST_F(ContextTest, AKeyIsUsedAsItsCertificateSays) {
  server_config_.certificates = {
      certificateOf(authority_.issue({.rsa = true, .key_usage = "keyEncipherment"}))};
  for (const Version version : {Version::k1_2, Version::k1_3}) {
    client_config_.params.max = version;
    server_context_ = nullptr;
    EXPECT_TRUE(has(clientRefuses(), "KEY_USAGE_BIT_INCORRECT"));
  }
}

TEST_F(ContextTest, AFipsPolicyTakesItsCurvesAndCiphers) {
  server_config_.params.policy = CompliancePolicy::kFips202205;
  server_config_.params.groups = {"X25519"}; // Overruled.
  begin();
  expectConnected();
  EXPECT_EQ(serverStat("curves.P-256"), 1u);
  client_config_.params.groups = {"X25519"};
  client_config_.params.max = Version::k1_3;
  server_context_ = nullptr;
  EXPECT_TRUE(has(serverRefuses(), "NO_SHARED_GROUP"));
  client_config_.params = {};
  client_config_.params.cipher_suites = {"ECDHE-ECDSA-CHACHA20-POLY1305"};
  server_context_ = nullptr;
  EXPECT_TRUE(has(serverRefuses(), "NO_SHARED_CIPHER"));
}

TEST_F(ContextTest, ACnsaPolicyAgreesOnKeysByMlKem) {
  server_config_.certificates = {certificateOf(authority_.issue({.rsa = true}))};
  for (const CompliancePolicy policy :
       {CompliancePolicy::kCnsa1_202603, CompliancePolicy::kCnsa2_202603}) {
    server_config_.params.policy = client_config_.params.policy = policy;
    server_context_ = nullptr;
    begin();
    expectConnected();
  }
  EXPECT_EQ(serverStat("curves.MLKEM1024"), 2u);
  EXPECT_EQ(serverStat("versions.TLSv1.3"), 2u);
  EXPECT_EQ(serverStat("ciphers.TLS_AES_256_GCM_SHA384"), 2u);
  EXPECT_EQ(store_.findCounter("cluster.ssl.sigalgs.rsa_pss_rsae_sha384")->value(), 2u);
}

TEST_F(ContextTest, OnlyOneCnsaPolicyTakesWhoIsOlder) {
  server_config_.certificates = {certificateOf(authority_.issue({.rsa = true}))};
  client_config_.params.groups = {"P-384"};
  server_config_.params.policy = CompliancePolicy::kCnsa1_202603;
  begin();
  expectConnected();
  EXPECT_EQ(serverStat("curves.P-384"), 1u);
  EXPECT_EQ(serverStat("ciphers.ECDHE-RSA-AES256-GCM-SHA384"), 1u);
  server_config_.params.policy = CompliancePolicy::kCnsa2_202603;
  server_context_ = nullptr;
  EXPECT_TRUE(has(serverRefuses(), "UNSUPPORTED_PROTOCOL"));
}

TEST_F(ContextTest, WhatIsWrongWithParametersIsSaidInEnvoysWords) {
  Params& params = server_config_.params;
  params.path = "tls_params";
  params.cipher_suites = {"NOPE", "ECDHE-ECDSA-AES128-GCM-SHA256"};
  EXPECT_EQ(serverError(),
            "tls_params.cipher_suites: Failed to initialize cipher suites "
            "NOPE:ECDHE-ECDSA-AES128-GCM-SHA256. The following ciphers were rejected when tried "
            "individually: NOPE");
  params.cipher_suites = {"[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]",
                          "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"};
  EXPECT_EQ(serverError(), "");
  params.groups = {"P-256", "nope"};
  EXPECT_EQ(serverError(), "tls_params.ecdh_curves: Failed to initialize ECDH curves P-256:nope");
  params.groups = {"X25519", "P-256", "P-384", "P-521"};
  EXPECT_EQ(serverError(), "");
  params.signature_algorithms = {"nope"};
  EXPECT_EQ(serverError(), "tls_params.signature_algorithms: Failed to initialize TLS signature "
                           "algorithms nope");
  params.signature_algorithms = {"ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256"};
  EXPECT_EQ(serverError(), "");
  server_config_.alpn_protocols = {std::string(256, 'x')};
  EXPECT_EQ(serverError(), "alpn_protocols: Invalid ALPN protocol string");
}

} // namespace
} // namespace culvert::tls
