// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/certificates/certificates.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <vector>

#include "gtest/gtest.h"
#include "source/base/file.h"
#include "source/event/simulated_clock.h"
#include "source/mesh/certificates/lab_source.h"
#include "source/tls/certificates_for_test.h"
#include "source/tls/pair_for_test.h"

namespace culvert::mesh {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr char kWeb[] = "spiffe://cluster.local/ns/shop/sa/web";
constexpr char kCart[] = "spiffe://cluster.local/ns/shop/sa/cart";
constexpr char kStranger[] = "spiffe://elsewhere/ns/shop/sa/web";

// A folder of the test's own.
struct Folder {
  Folder() { path = ::mkdtemp(name); }
  ~Folder() {
    ::unlink(file().c_str());
    ::rmdir(name);
  }
  std::string file() const { return path + "/ca.pem"; }

  char name[32] = "/tmp/culvert_certs_XXXXXX";
  std::string path;
};

// A source that counts, and fails when it is told to.
class CountingSource final : public CertificateSource {
public:
  CountingSource(std::unique_ptr<CertificateSource> below, int& requests, bool& fails)
      : below_(std::move(below)), requests_(requests), fails_(fails) {}
  void request(const std::string& identity, Done done) override {
    requests_++;
    if (fails_) {
      done(absl::UnavailableError("the authority is away"));
    } else {
      below_->request(identity, std::move(done));
    }
  }

private:
  const std::unique_ptr<CertificateSource> below_;
  int& requests_;
  bool& fails_;
};

// Stands still in the present: the library that verifies certificates looks at the real one.
struct PresentClock {
  PresentClock() { clock.advance(base::SystemClock().wallNow() - clock.wallNow()); }
  event::SimulatedClock clock;
};

class CertificatesTest : public testing::Test {
protected:
  std::unique_ptr<CertificateSource> lab() {
    auto source = makeLabSource(folder_.file(), hours(24), clock_);
    EXPECT_TRUE(source.ok()) << source.status();
    return std::make_unique<CountingSource>(*std::move(source), requests_, fails_);
  }
  static const tls::Context& serverOf(const std::shared_ptr<const Certificates::Secured>& found) {
    return *found->server->get();
  }
  // Goes on by `time`, in steps: timers that arm others get their turn.
  void pass(seconds time) {
    for (seconds done(0); done < time; done += seconds(1)) {
      clock_.advance(seconds(1));
      loop_.runOnce(false);
    }
  }
  bool connects(const std::string& client, const std::string& server, tls::WantedUris wanted) {
    Certificates other(contexts_, lab(), others_rules_, store_.root()); // Of another process.
    certificates_.keep(client);
    other.keep(server);
    tls::PairForTest pair;
    tls::EndForTest up;
    tls::EndForTest down;
    down.start(pair.loop(), other.find(server)->server->get()->accept(pair.loop(), pair.io(0)));
    up.start(pair.loop(), certificates_.find(client)->client->get()->connect(
                              pair.loop(), pair.io(1), "", std::move(wanted)));
    EXPECT_TRUE(pair.until([&] { return down.closed || (up.connected && down.connected); }));
    return !down.closed;
  }
  static tls::WantedUris want(std::vector<std::string> uris) {
    return std::make_shared<const std::vector<std::string>>(std::move(uris));
  }

  Folder folder_;
  PresentClock present_;
  event::SimulatedClock& clock_ = present_.clock;
  stats::Store store_{1, {}};
  event::Loop loop_{"test", clock_};
  tls::Contexts contexts_{loop_};
  int requests_ = 0;
  bool fails_ = false;
  TlsRules others_rules_;
  Certificates certificates_{contexts_, lab(), {}, store_.root()};
};

TEST_F(CertificatesTest, NodesOfOneFileTrustOneAnother) {
  EXPECT_TRUE(connects(kWeb, kCart, want({kCart})));
}

TEST_F(CertificatesTest, AClientMeetsNobodyButWhomItWants) {
  EXPECT_FALSE(connects(kWeb, kCart, want({kWeb})));
}

TEST_F(CertificatesTest, AServerRefusesOtherTrustDomains) {
  EXPECT_FALSE(connects(kStranger, kCart, want({kCart})));
}

TEST_F(CertificatesTest, KeysMayHaveToBeAgreedOnByMlKem) {
  others_rules_.post_quantum_only = true;
  EXPECT_TRUE(connects(kWeb, kCart, want({kCart}))); // The others have that last.
  const auto agreed = [&](const std::string& curve) {
    loop_.runOnce(false); // main, where counters are made.
    const stats::Counter* const counter = store_.findCounter("mesh.outbound.ssl.curves." + curve);
    return counter == nullptr ? 0 : counter->value();
  };
  EXPECT_EQ(agreed("X25519MLKEM768"), 1u);
  others_rules_.post_quantum_only = false;
  EXPECT_TRUE(connects(kWeb, kCart, want({kCart})));
  EXPECT_EQ(agreed("X25519"), 1u);
}

TEST_F(CertificatesTest, WhoIsRevokedIsRefused) {
  using Authority = tls::AuthorityForTest;
  certificates_.keep(kWeb);
  const auto& facts = certificates_.find(kWeb)->client->get()->certificates()[0].facts;
  const Authority::Made web = Authority::Made::read(facts.pem);
  const Authority authority(Authority::Made::read(*base::readFile(folder_.file())));
  others_rules_.revocations = std::make_shared<tls::Revocations>(loop_);
  EXPECT_TRUE(connects(kWeb, kCart, want({kCart})));
  ASSERT_TRUE(others_rules_.revocations->load(authority.crl({&web})).ok());
  EXPECT_FALSE(connects(kWeb, kCart, want({kCart})));
  EXPECT_EQ(others_rules_.revocations->rejections(/*as_server=*/true), 1u);
}

TEST_F(CertificatesTest, WhoLooksForOneIsToldLater) {
  EXPECT_EQ(certificates_.find(kWeb), nullptr);
  loop_.runOnce(false);
  EXPECT_NE(certificates_.find(kWeb), nullptr);
  EXPECT_EQ(requests_, 1);
}

TEST_F(CertificatesTest, IsRenewedWhenHalfOfItsTimeIsOver) {
  certificates_.keep(kWeb);
  const auto found = certificates_.find(kWeb);
  const tls::Context* const first = &serverOf(found);
  clock_.advance(hours(11));
  loop_.runOnce(false);
  EXPECT_EQ(&serverOf(found), first);
  clock_.advance(hours(2));
  loop_.runOnce(false);
  EXPECT_EQ(requests_, 2);
  EXPECT_NE(&serverOf(found), first);
}

TEST_F(CertificatesTest, TheOldOneStaysWhileTheSourceFails) {
  certificates_.keep(kWeb);
  const auto found = certificates_.find(kWeb);
  fails_ = true;
  clock_.advance(hours(13));
  loop_.runOnce(false);
  EXPECT_NE(found->server->get(), nullptr);
  EXPECT_EQ(certificates_.failure(kWeb), "the authority is away");
  fails_ = false;
  pass(seconds(5));
  EXPECT_EQ(certificates_.failure(kWeb), "");
  EXPECT_EQ(requests_, 3);
}

TEST_F(CertificatesTest, AFailingSourceIsAskedEverLessOften) {
  fails_ = true;
  certificates_.keep(kWeb);
  pass(seconds(60));
  EXPECT_GE(requests_, 5); // After 1, 2, 4, 8, 16 and 32 s, a fifth more or less.
  EXPECT_LE(requests_, 8);
  EXPECT_EQ(certificates_.find(kWeb), nullptr);
}

TEST_F(CertificatesTest, WhatIsNoIdentityGetsNone) {
  certificates_.keep("cluster.local/ns/a/sa/b");
  EXPECT_EQ(certificates_.find("cluster.local/ns/a/sa/b"), nullptr);
  EXPECT_EQ(certificates_.failure("cluster.local/ns/a/sa/b"),
            "'cluster.local/ns/a/sa/b' is no SPIFFE identity");
}

TEST_F(CertificatesTest, AFileThatOthersCanReadIsRefused) {
  ASSERT_EQ(::chmod(folder_.file().c_str(), 0644), 0);
  const auto source = makeLabSource(folder_.file(), hours(24), clock_);
  EXPECT_EQ(source.status().message(),
            folder_.file() +
                ": must belong to the user of this process and be closed to all others");
}

TEST_F(CertificatesTest, AFileWithSomethingElseIsRefused) {
  std::ofstream(folder_.file()) << "no certificate";
  EXPECT_FALSE(makeLabSource(folder_.file(), hours(24), clock_).ok());
}

} // namespace
} // namespace culvert::mesh
