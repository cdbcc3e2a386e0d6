// SPDX-License-Identifier: Apache-2.0
#include "source/tls/authority.h"

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "source/tls/context_fixture_for_test.h"

namespace culvert::tls {
namespace {

using std::chrono::hours;

constexpr char kServer[] = "spiffe://lab.test/ns/default/sa/server";

// Both ends have certificates of one authority.
class AuthorityTest : public ContextTest {
protected:
  AuthorityTest() {
    server_config_.validation = client_config_.validation = trust(*mesh_);
    server_config_.certificates = {issue(*mesh_, kServer)};
    client_config_.certificates = {issue(*mesh_, kClientSan)};
    client_config_.params.max = Version::k1_3;
    server_.require_client_certificate = true;
  }

  static ValidationConfig trust(const Authority& authority) {
    ValidationConfig validation;
    validation.trusted_ca = Source{*authority.certificate(), "<inline>"};
    return validation;
  }
  static std::unique_ptr<const Authority> make() {
    return *Authority::create("lab", at(-1), at(24));
  }
  static CertificateConfig issue(const Authority& authority, const std::string& uri,
                                 base::WallTime until = at(1)) {
    const auto made = authority.issue(uri, at(-1), until);
    EXPECT_TRUE(made.ok()) << made.status();
    CertificateConfig config;
    config.chain = Source{made->chain, "<inline>"};
    config.key = Source{made->key, "<inline>"};
    return config;
  }
  static base::WallTime at(int h) { return base::SystemClock().wallNow() + hours(h); }
  void want(std::vector<std::string> uris) {
    wanted_ = std::make_shared<const std::vector<std::string>>(std::move(uris));
  }

  std::unique_ptr<const Authority> mesh_ = make();
};

TEST_F(AuthorityTest, ItsCertificatesTrustOneAnother) {
  want({"spiffe://lab.test/ns/default/sa/other", kServer});
  begin();
  expectConnected();
  EXPECT_EQ(down_->info->peerUriSans(), Names({kClientSan}));
  EXPECT_EQ(up_->info->peerUriSans(), Names({kServer}));
  EXPECT_EQ(up_->info->facts().version, "TLSv1.3");
}

TEST_F(AuthorityTest, IsTheSameWhenItIsReadBack) {
  const auto again = Authority::load(*mesh_->text());
  ASSERT_TRUE(again.ok()) << again.status();
  client_config_.certificates = {issue(**again, kClientSan)};
  begin();
  expectConnected();
}

TEST_F(AuthorityTest, NeedsItsKeyToBeReadBack) {
  EXPECT_FALSE(Authority::load(*mesh_->certificate()).ok());
  EXPECT_FALSE(Authority::load(*mesh_->certificate() + issue(*make(), kServer).key->text).ok());
}

TEST_F(AuthorityTest, ANameThatIsTwoIsRefused) {
  EXPECT_FALSE(mesh_->issue("spiffe://a/ns/b/sa/c,DNS:evil", at(0), at(1)).ok());
}

TEST_F(AuthorityTest, CertificatesOfAnotherAreRefused) {
  client_config_.certificates = {issue(*make(), kClientSan)};
  EXPECT_PRED2(has, serverRefuses(), "CERTIFICATE_VERIFY_FAILED");
}

TEST_F(AuthorityTest, AServerThatIsNotWantedIsRefused) {
  want({kClientSan});
  EXPECT_PRED2(has, clientRefuses(),
               "verify cert failed: wanted [spiffe://lab.test/ns/default/sa/client], certificate "
               "SANs are [spiffe://lab.test/ns/default/sa/server]");
}

TEST_F(AuthorityTest, WhereNobodyIsWantedNobodyWillDo) {
  want({});
  EXPECT_PRED2(has, clientRefuses(), "wanted []");
}

TEST_F(AuthorityTest, AnExpiredCertificateIsRefused) {
  server_config_.certificates = {
      issue(*mesh_, kServer, base::SystemClock().wallNow() - std::chrono::minutes(1))};
  EXPECT_PRED2(has, clientRefuses(), "certificate has expired");
}

TEST_F(AuthorityTest, AClientOfAnotherTrustDomainIsRefused) {
  server_config_.validation->sans = {
      {SanType::kUri, *match::StringMatch::create(match::StringMatch::Kind::kPrefix,
                                                  std::string("spiffe://other.test/"))}};
  EXPECT_PRED2(has, serverRefuses(), "SAN matcher");
}

TEST_F(AuthorityTest, AProtocolThatIsRequiredMustBeOffered) {
  server_.require_protocol = true;
  server_config_.alpn_protocols = {"h2"};
  client_config_.alpn_protocols = {"http/1.1"};
  EXPECT_PRED2(has, serverRefuses(), "NO_APPLICATION_PROTOCOL");
}

TEST_F(AuthorityTest, CipherSuitesOfTls13AreThoseThatAreNamed) {
  server_config_.params.tls13_suites = "TLS_AES_128_GCM_SHA256";
  begin();
  expectConnected();
  EXPECT_EQ(serverStat("ciphers.TLS_AES_128_GCM_SHA256"), 1u);
}

} // namespace
} // namespace culvert::tls
