// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/node/name_lookups.h"

#include <thread>

#include "gtest/gtest.h"
#include "source/base/clock.h"
#include "test/fakes/fake_resolver.h"

namespace culvert::mesh {
namespace {

class NameLookupsTest : public testing::Test {
protected:
  // Asks for it, as the loop of a worker.
  std::unique_ptr<NameLookups::Lookup> lookUp(const std::string& name) {
    auto lookup = names_.lookUp(worker_, name, [this](const net::DnsAnswer& answer) {
      answers_.push_back(answer.addresses.empty() ? "none"
                                                  : answer.addresses[0].address.ipString());
    });
    main_.runOnce(false);
    return lookup;
  }
  void answer(const std::string& name) {
    resolver_->answer(name, {"192.0.2.7"});
    worker_.runOnce(false);
  }

  base::SystemClock clock_;
  event::Loop main_{"main", clock_};
  event::Loop worker_{"worker", clock_};
  test::FakeResolver* resolver_ = nullptr;
  NameLookups names_{main_, net::DnsFamily::kV4Only, [this] {
                       auto made = std::make_unique<test::FakeResolver>();
                       resolver_ = made.get();
                       return made;
                     }};
  std::vector<std::string> answers_;
};

TEST_F(NameLookupsTest, AnswersWhoAsked) {
  const auto lookup = lookUp("db.example");
  EXPECT_EQ(resolver_->family, net::DnsFamily::kV4Only);
  EXPECT_TRUE(answers_.empty());
  answer("db.example");
  EXPECT_EQ(answers_, std::vector<std::string>{"192.0.2.7"});
}

TEST_F(NameLookupsTest, OneQuestionIsEnoughForAll) {
  const auto first = lookUp("db.example");
  const auto second = lookUp("db.example");
  EXPECT_EQ(resolver_->asked, 1);
  answer("db.example");
  EXPECT_EQ(answers_.size(), 2u);
  const auto third = lookUp("db.example"); // Nothing is kept.
  EXPECT_EQ(resolver_->asked, 2);
}

TEST_F(NameLookupsTest, WhoIsGoneIsNotAnswered) {
  auto gone = lookUp("db.example");
  const auto stays = lookUp("db.example");
  gone.reset();
  answer("db.example");
  EXPECT_EQ(answers_.size(), 1u);
}

TEST_F(NameLookupsTest, AnAnswerMayComeTooLate) {
  auto gone = lookUp("db.example");
  resolver_->answer("db.example", {"192.0.2.7"});
  gone.reset();
  worker_.runOnce(false);
  EXPECT_TRUE(answers_.empty());
}

TEST_F(NameLookupsTest, NobodyIsAnsweredAfterTheEnd) {
  const auto lookup = lookUp("db.example");
  names_.stop();
  EXPECT_TRUE(resolver_->waiting.empty());
  const auto late = lookUp("db.example");
  EXPECT_EQ(resolver_->asked, 1);
}

TEST_F(NameLookupsTest, AQuestionMayComeTooLate) {
  auto names = std::make_unique<NameLookups>(main_, net::DnsFamily::kV4Only, nullptr);
  const auto lookup = names->lookUp(worker_, "db.example", [](const net::DnsAnswer&) { FAIL(); });
  names.reset();
  main_.runOnce(false);
  worker_.runOnce(false);
}

TEST_F(NameLookupsTest, AnswersOtherThreads) {
  std::thread worker([this] {
    const auto lookup = names_.lookUp(worker_, "db.example", [this](const net::DnsAnswer& answer) {
      answers_.push_back(answer.addresses[0].address.ipString());
      worker_.exit();
    });
    names_.lookUp(worker_, "db.example", [](const net::DnsAnswer&) {}).reset(); // Forgotten.
    worker_.run();
  });
  while (resolver_ == nullptr || resolver_->waiting.empty()) {
    main_.runOnce(true);
  }
  resolver_->answer("db.example", {"192.0.2.7"});
  worker.join();
  EXPECT_EQ(answers_, std::vector<std::string>{"192.0.2.7"});
}

} // namespace
} // namespace culvert::mesh
