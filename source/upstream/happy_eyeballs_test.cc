// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/happy_eyeballs.h"

#include <algorithm>

#include "source/upstream/upstream_fixture.h"

namespace culvert::upstream {
namespace {

using net::Address;
using net::IoStatus;
using std::chrono::milliseconds;

Address address(const std::string& text) { return *Address::parseIpPort(text); }

std::vector<std::string> ordered(const std::vector<std::string>& texts, const AddressOrder& order) {
  std::vector<Address> addresses;
  std::transform(texts.begin(), texts.end(), std::back_inserter(addresses), address);
  std::vector<std::string> result;
  for (const Address& one : inOrder(addresses, order)) {
    result.push_back(one.toString());
  }
  return result;
}

// As Envoy 1.40 tries them.
TEST(AddressOrder, KindsTakeTurns) {
  const std::vector<std::string> listed = {"[::1]:2", "[::1]:3", "127.0.0.4:4", "127.0.0.5:5"};
  using List = std::vector<std::string>;
  EXPECT_EQ(ordered(listed, {}), List({"[::1]:2", "127.0.0.4:4", "[::1]:3", "127.0.0.5:5"}));
  EXPECT_EQ(ordered(listed, {.first = Address::Kind::kIpv4}),
            List({"127.0.0.4:4", "[::1]:2", "127.0.0.5:5", "[::1]:3"}));
  EXPECT_EQ(ordered(listed, {.first = Address::Kind::kPipe}), ordered(listed, {}));
  EXPECT_EQ(
      ordered({"[::1]:2", "[::1]:3", "[::1]:4", "127.0.0.5:5", "127.0.0.6:6"}, {.first_count = 2}),
      List({"[::1]:2", "[::1]:3", "127.0.0.5:5", "[::1]:4", "127.0.0.6:6"}));
  EXPECT_EQ(ordered({"127.0.0.1:1", "[::1]:2", "[::1]:3"}, {.first_count = 9}),
            List({"127.0.0.1:1", "[::1]:2", "[::1]:3"}));
}

// One attempt, which ends as the test says.
class TriedIo final : public net::Io {
public:
  explicit TriedIo(std::vector<std::string>& closed, std::string name)
      : closed_(closed), name_(std::move(name)) {}

  void become(IoStatus status) {
    status_ = status;
    callback_(event::kWritable);
  }

  void setReadyCallback(ReadyCallback callback) override { callback_ = callback; }
  void setRead(event::FdEvents::ReadInterest) override {}
  void setWrite(bool) override {}
  void activate(uint32_t) override {}
  net::IoResult open() override { return {status_}; }
  net::IoResult read(absl::Span<char>) override { return {IoStatus::kOk}; }
  net::IoResult write(absl::Span<const iovec>) override { return {IoStatus::kOk}; }
  void shutdownWrite() override {}
  void close(bool) override { closed_.push_back(name_); }
  bool peerReset() override { return false; }
  std::string failureReason() const override { return name_ + " failed"; }
  Address localAddress() const override { return {}; }

private:
  std::vector<std::string>& closed_;
  const std::string name_;
  ReadyCallback callback_;
  IoStatus status_ = IoStatus::kMore;
};

class HappyEyeballsTest : public testing::Test {
protected:
  // Begins to open it.
  void start(size_t count) {
    std::vector<Address> addresses;
    for (size_t i = 0; i < count; ++i) {
      addresses.push_back(address("127.0.0.1:1").withPort(static_cast<uint16_t>(1 + i)));
    }
    race = makeHappyEyeballs(loop, addresses,
                             [this](size_t number) -> absl::StatusOr<std::unique_ptr<net::Io>> {
                               if (number < refused.size() && refused[number]) {
                                 return absl::UnavailableError("immediate connect error");
                               }
                               auto io = std::make_unique<TriedIo>(closed, std::to_string(number));
                               tried.push_back(io.get());
                               return io;
                             });
    race->setReadyCallback(net::Io::ReadyCallback::to<&HappyEyeballsTest::onReady>(this));
    race->setWrite(true);
  }
  void onReady(uint32_t) { result = race->open().status; }
  void pass(int ms) {
    clock.advance(milliseconds(ms));
    loop.runOnce(false);
  }

  event::SimulatedClock clock;
  event::Loop loop{"test", clock};
  std::vector<bool> refused;
  std::vector<TriedIo*> tried;
  std::vector<std::string> closed;
  std::optional<IoStatus> result;
  std::unique_ptr<net::Io> race;
};

TEST_F(HappyEyeballsTest, TheFirstAddressIsEnough) {
  start(2);
  ASSERT_EQ(tried.size(), 1u);
  tried[0]->become(IoStatus::kOk);
  EXPECT_EQ(result, IoStatus::kOk);
  EXPECT_EQ(race->reached()->toString(), "127.0.0.1:1");
  pass(1000);
  EXPECT_EQ(tried.size(), 1u);
  EXPECT_TRUE(closed.empty());
}

TEST_F(HappyEyeballsTest, TheNextIsTriedBesideASlowOne) {
  start(3);
  pass(299);
  EXPECT_EQ(tried.size(), 1u);
  pass(1);
  EXPECT_EQ(tried.size(), 2u);
  pass(300);
  EXPECT_EQ(tried.size(), 3u);
  EXPECT_TRUE(closed.empty());
  tried[0]->become(IoStatus::kOk); // Slow, but the first.
  EXPECT_EQ(result, IoStatus::kOk);
  EXPECT_EQ(race->reached()->toString(), "127.0.0.1:1");
  EXPECT_EQ(closed, std::vector<std::string>({"1", "2"}));
}

TEST_F(HappyEyeballsTest, AfterAFailureTheNextIsTriedAtOnce) {
  start(2);
  tried[0]->become(IoStatus::kReset);
  ASSERT_EQ(tried.size(), 2u);
  EXPECT_EQ(result, std::nullopt);
  tried[1]->become(IoStatus::kOk);
  EXPECT_EQ(result, IoStatus::kOk);
  EXPECT_EQ(race->reached()->toString(), "127.0.0.1:2");
}

TEST_F(HappyEyeballsTest, ItFailsWhenAllHave) {
  start(2);
  pass(300);
  tried[0]->become(IoStatus::kReset);
  loop.runOnce(false);
  EXPECT_EQ(result, std::nullopt);
  tried[1]->become(IoStatus::kReset);
  loop.runOnce(false);
  EXPECT_EQ(result, IoStatus::kReset);
  EXPECT_EQ(race->failureReason(), "1 failed");
  EXPECT_EQ(race->reached(), nullptr);
}

TEST_F(HappyEyeballsTest, WhatCannotEvenBeTriedIsPassedOver) {
  refused = {true, false, true};
  start(3);
  ASSERT_EQ(tried.size(), 1u);
  tried[0]->become(IoStatus::kReset);
  loop.runOnce(false);
  EXPECT_EQ(result, IoStatus::kReset);
  EXPECT_EQ(race->failureReason(), "immediate connect error");
}

TEST_F(HappyEyeballsTest, NothingIsTriedOnceItIsClosed) {
  start(3);
  pass(300);
  race->close(false);
  EXPECT_EQ(closed, std::vector<std::string>({"0", "1"}));
  pass(1000);
  EXPECT_EQ(tried.size(), 2u);
  EXPECT_EQ(result, std::nullopt);
}

class AddressesTest : public UpstreamTest {
protected:
  // A host at `first`, and elsewhere.
  ClusterConfig at(const Address& first, const std::vector<Address>& more) {
    ClusterConfig config = clusterOf({first});
    config.endpoints[0].endpoints[0].more_addresses = more;
    return config;
  }
  const TestHost host;
  const TestHost other;
};

TEST_F(AddressesTest, AHostIsReachedWhereItAnswers) {
  const Address nobody = TestHost().address();
  start(at(nobody, {host.address()}));
  const auto session = connected();
  ASSERT_TRUE(session->connected);
  EXPECT_EQ(session->upstream->host()->address, nobody);
  EXPECT_EQ(*session->upstream->connection().io().reached(), host.address());
  EXPECT_EQ(counter("upstream_cx_total"), 2u); // Attempts, as Envoy counts.
  EXPECT_EQ(counter("upstream_cx_connect_fail"), 0u);
  EXPECT_EQ(manager.find("c")->hosts()[0]->state().cx_total, 2u);
  EXPECT_EQ(gauge("upstream_cx_active"), 1u);
}

TEST_F(AddressesTest, OneThatAnswersNowhereFailsOnce) {
  start(at(TestHost().address(), {TestHost().address()}));
  TestSession session(cluster());
  ASSERT_TRUE(turnUntil([&] { return session.failed.has_value(); }));
  EXPECT_EQ(session.failed, ConnectFailure::kRefused);
  EXPECT_EQ(session.reason, "delayed connect error: Connection refused");
  EXPECT_EQ(counter("upstream_cx_total"), 2u);
  EXPECT_EQ(counter("upstream_cx_connect_fail"), 1u);
}

TEST_F(AddressesTest, TheOrderMayBeAnother) {
  ClusterConfig config = at(host.address(), {*Address::parseIp("::1", 1)});
  config.address_order.first = Address::Kind::kIpv6;
  start(std::move(config));
  const std::vector<Address>& addresses = manager.find("c")->hosts()[0]->addresses();
  ASSERT_EQ(addresses.size(), 2u);
  EXPECT_EQ(addresses[0].toString(), "[::1]:1");
  EXPECT_EQ(manager.find("c")->hosts()[0]->address(), host.address());
}

} // namespace
} // namespace culvert::upstream
