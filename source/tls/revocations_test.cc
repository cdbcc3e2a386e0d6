// SPDX-License-Identifier: Apache-2.0
#include "source/tls/revocations.h"

#include <utility>

#include "source/tls/context_fixture_for_test.h"
#include "source/tls/internal/revocation_lists.h"

namespace culvert::tls {
namespace {

constexpr bool kAsServer = true;
constexpr bool kAsClient = false;

// Both ends heed the same lists. The client is of `between_`, an authority below the root.
class RevocationsTest : public ContextTest {
protected:
  RevocationsTest() {
    wantMutual();
    client_config_.validation = trusting(authority_);
    server_config_.validation->revocations = client_config_.validation->revocations = revocations_;
    server_config_.params.max = client_config_.params.max = Version::k1_3;
    server_.stateless_resumption = server_.stateful_resumption = false;
    client_.sessions_max = 0;
    useIntermediate({});
  }
  void useIntermediate(CertificateForTest wish) {
    wish.common_name = "between";
    wish.authority = true;
    between_certificate_ = authority_.issue(wish);
    between_ = std::make_unique<AuthorityForTest>(
        AuthorityForTest::Made::read(between_certificate_.pem() + between_certificate_.keyPem()));
    client_certificate_ = between_->issue({.common_name = "client", .sans = "URI:spiffe://a"});
    client_config_.certificates = {certificateOf(client_certificate_)};
    client_config_.certificates[0].chain->text += between_->pem();
  }
  void load(const std::string& lists) {
    const auto loaded = revocations_->load(lists);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
  }
  void connect() {
    begin();
    expectConnected();
  }
  // One ends it, and the other hears of that.
  bool ends(const EndForTest& one, const EndForTest& other) {
    return pair_.until([&] { return one.closed && (other.ended || other.closed); });
  }
  // Everybody had the turns in which he would have ended.
  void settle() {
    for (int turn = 0; turn < 8; turn++) {
      pair_.loop().runOnce(false);
    }
  }
  std::string refusal(const std::string& text) {
    return std::string(revocations_->load(text).status().message());
  }

  std::shared_ptr<Revocations> revocations_ = std::make_shared<Revocations>(pair_.loop());
  AuthorityForTest::Made between_certificate_;
  std::unique_ptr<AuthorityForTest> between_;
};

TEST_F(RevocationsTest, ARevokedClientIsRefused) {
  load(between_->crl({&client_certificate_}));
  EXPECT_PRED2(has, serverRefuses(), "error at depth 0: certificate revoked");
  EXPECT_PRED2(has, up_->failure(), "ALERT_CERTIFICATE_REVOKED");
  EXPECT_EQ(revocations_->rejections(kAsServer), 1u);
  EXPECT_EQ(revocations_->rejections(kAsClient), 0u);
  EXPECT_FALSE(down_->info->peerRevoked());
}

TEST_F(RevocationsTest, ARevokedServerIsRefused) {
  load(authority_.crl({&server_certificate_}));
  EXPECT_PRED2(has, clientRefuses(), "error at depth 0: certificate revoked");
  EXPECT_EQ(revocations_->rejections(kAsClient), 1u);
}

TEST_F(RevocationsTest, ARevokedAuthorityTakesItsCertificatesWithIt) {
  load(authority_.crl({&between_certificate_}));
  EXPECT_PRED2(has, serverRefuses(), "error at depth 1: certificate revoked");
}

TEST_F(RevocationsTest, SerialsAreOfTheirIssuerOnly) {
  load(authority_.crl({&client_certificate_}) + other_authority_.crl({&server_certificate_}));
  connect();
}

TEST_F(RevocationsTest, OldListsCount) {
  load(between_->crl({&client_certificate_}, {.ends_in_s = -30}));
  serverRefuses();
}

TEST_F(RevocationsTest, ListsOfVersion1Count) {
  load(between_->crl({&client_certificate_}, {.version = 0}));
  serverRefuses();
}

TEST_F(RevocationsTest, AListInAnothersNameMakesThatOneDoubtful) {
  load(AuthorityForTest("between").crl({}));
  EXPECT_PRED2(has, serverRefuses(), "error at depth 0: CRL signature failure");
  EXPECT_EQ(revocations_->rejections(kAsServer), 0u);
}

TEST_F(RevocationsTest, AuthoritiesOfOneNameAreToldApartByTheirKeys) {
  useIntermediate({.key_id = "01:02"});
  load(AuthorityForTest("between").crl({&client_certificate_}, {.signer_id = "\3\4"}) +
       between_->crl({}, {.signer_id = "\1\2"}));
  connect();
  load(between_->crl({&client_certificate_}, {.signer_id = "\1\2"}));
  EXPECT_TRUE(ends(*down_, *up_));
}

TEST_F(RevocationsTest, WhoMayNotSignListsIsDoubtfulWithOne) {
  useIntermediate({.key_usage = "critical,keyCertSign"});
  load(between_->crl({}));
  EXPECT_PRED2(has, serverRefuses(), "key usage does not include CRL signing");
}

TEST_F(RevocationsTest, NewListsEndWhatTheyRevoke) {
  load("");
  connect();
  load(between_->crl({&client_certificate_}));
  EXPECT_TRUE(ends(*down_, *up_));
  EXPECT_TRUE(down_->ended); // A turn for a last word.
  EXPECT_EQ(down_->reason.code, net::CloseCode::kPeerReset);
  EXPECT_TRUE(down_->info->peerRevoked());
  EXPECT_FALSE(up_->info->peerRevoked());
  EXPECT_EQ(revocations_->rejections(kAsServer), 1u);
  load("");
  load(between_->crl({&client_certificate_}));
  settle();
  EXPECT_EQ(revocations_->rejections(kAsServer), 1u);
}

TEST_F(RevocationsTest, NewListsEndConnectionsToServersToo) {
  connect();
  load(authority_.crl({&server_certificate_}));
  EXPECT_TRUE(ends(*up_, *down_));
  EXPECT_TRUE(up_->info->peerRevoked());
  EXPECT_FALSE(down_->info->peerRevoked());
  EXPECT_EQ(revocations_->rejections(kAsClient), 1u);
}

TEST_F(RevocationsTest, ARevokedAuthorityEndsItsConnections) {
  connect();
  load(authority_.crl({&between_certificate_}));
  EXPECT_TRUE(ends(*down_, *up_));
}

TEST_F(RevocationsTest, WhoDoesNotReadIsEndedToo) {
  connect();
  down_->connection->pauseReading();
  load(between_->crl({&client_certificate_}));
  EXPECT_TRUE(ends(*down_, *up_));
  EXPECT_FALSE(down_->ended);
}

TEST_F(RevocationsTest, WhoHasHeardTheEndIsEndedToo) {
  connect();
  up_->write("", true);
  EXPECT_TRUE(pair_.until([&] { return down_->ended; }));
  EXPECT_FALSE(down_->closed);
  load(between_->crl({&client_certificate_}));
  EXPECT_TRUE(ends(*down_, *up_));
}

TEST_F(RevocationsTest, AListThatComesWithinAHandshakeCounts) {
  server_config_.params.max = client_config_.params.max = Version::k1_2;
  begin(); // The client has seen the certificate, and waits for the server's last message.
  EXPECT_TRUE(pair_.until([&] { return up_->info->peer() != nullptr; }));
  EXPECT_FALSE(up_->connected);
  load(authority_.crl({&server_certificate_}));
  EXPECT_TRUE(ends(*up_, *down_));
  EXPECT_TRUE(up_->info->peerRevoked());
}

TEST_F(RevocationsTest, OthersGoOn) {
  connect();
  load(between_->crl({}) + authority_.crl({&client_certificate_}, {.ends_in_s = -30}));
  load(AuthorityForTest("between").crl({&client_certificate_})); // Not from whom it says.
  settle();
  EXPECT_FALSE(down_->closed || up_->closed);
}

TEST_F(RevocationsTest, ListsThatAreOfNoUseChangeNothing) {
  load(between_->crl({&client_certificate_}));
  EXPECT_PRED2(has, refusal("garbage"), "list 1 cannot be read: ");
  const std::string good = authority_.crl({});
  EXPECT_PRED2(has, refusal(good + good.substr(0, good.size() / 2)), "list 2 cannot be read: ");
  EXPECT_EQ(refusal(good + authority_.crl({}, {.delta = true})),
            "list 2 has a critical extension that is not supported: X509v3 Delta CRL Indicator");
  serverRefuses();
}

TEST_F(RevocationsTest, TakesListsInEitherFormAndAmongOtherThings) {
  const auto count = [&](const std::string& text) { return revocations_->load(text).value_or(99); };
  const std::string pem = authority_.crl({&server_certificate_});
  EXPECT_EQ(count(""), 0u);
  EXPECT_EQ(count(" \n"), 0u);
  EXPECT_EQ(count(authority_.pem()), 0u);
  EXPECT_EQ(count("Lists:\n" + pem + authority_.pem() + between_->crl({})), 2u);
  const internal::BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const internal::CrlPtr list(PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr));
  unsigned char* bytes = nullptr;
  const int size = i2d_X509_CRL(list.get(), &bytes);
  const std::string der(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  OPENSSL_free(bytes);
  EXPECT_EQ(count(der), 1u);
  EXPECT_EQ(refusal(der + "x"), "bytes behind the list");
  clientRefuses();
}

} // namespace
} // namespace culvert::tls
