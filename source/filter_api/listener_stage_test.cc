// SPDX-License-Identifier: Apache-2.0
#include "source/filter_api/listener_stage.h"

#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "source/event/simulated_clock.h"
#include "source/net/socket_io.h"
#include "test/kit/peer.h"

namespace culvert {
namespace {

using OnData = std::function<Verdict(AcceptedConnection&, absl::string_view)>;

struct Script {
  Verdict on_accept = Verdict::kWait;
  OnData on_data = [](AcceptedConnection&, absl::string_view) { return Verdict::kContinue; };
  size_t max_bytes = 16;
};

class Scripted final : public ListenerFilter {
public:
  Scripted(const Script& script, std::string& log, char name)
      : script_(script), log_(log), name_(name) {}

  Verdict onAccept() override {
    log_ += name_;
    return script_.on_accept;
  }
  Verdict onData(absl::string_view bytes) override {
    log_ += std::string(1, name_) + "(" + std::string(bytes) + ")";
    return script_.on_data(connection(), bytes);
  }
  size_t maxBytes() const override { return script_.max_bytes; }

private:
  const Script& script_;
  std::string& log_;
  const char name_;
};

class ScriptedConfig final : public ListenerFilterConfig {
public:
  ScriptedConfig(Script script, std::string& log, char name)
      : script_(std::move(script)), log_(log), name_(name) {}
  std::unique_ptr<ListenerFilter> newFilter() const override {
    return std::make_unique<Scripted>(script_, log_, name_);
  }
  const char* id() const override { return "scripted"; }

private:
  const Script script_;
  std::string& log_;
  const char name_;
};

// A connection with the filters a, b, ...
class ListenerStageTest : public testing::Test, private StageOwner {
protected:
  void add(Script script) {
    const char name = static_cast<char>('a' + filters_.size());
    filters_.push_back({std::make_shared<ScriptedConfig>(std::move(script), log_, name), nullptr});
  }
  void begin(std::optional<base::Duration> timeout = std::nullopt) {
    test::Sockets sockets = test::tcpPair();
    peer_ = test::Peer(std::move(sockets.theirs));
    ConnectionInfo info;
    info.local = net::Address::localOf(sockets.ours.get());
    StageOwner& owner = *this;
    stage_ = std::make_unique<ListenerStage>(
        loop_, std::make_unique<net::SocketIo>(loop_, std::move(sockets.ours), false),
        std::move(info), filters_, owner);
    end_ = stage_->run();
    if (!end_.has_value()) {
      stage_->wait(timeout);
    }
  }
  void say(absl::string_view bytes) {
    peer_.send(bytes);
    test::settle(loop_);
  }
  std::string left() {
    char bytes[64];
    const auto io = stage_->takeIo();
    return std::string(bytes, io->read(absl::MakeSpan(bytes)).bytes);
  }

  event::SimulatedClock clock_;
  event::Loop loop_{"test", clock_};
  std::string log_;
  ListenerFilterUses filters_;
  test::Peer peer_;
  std::unique_ptr<ListenerStage> stage_;
  std::optional<StageEnd> end_;

private:
  void onStageEnd(ListenerStage&, StageEnd end) override { end_ = end; }
};

Script untilFull(size_t bytes) {
  return {Verdict::kWait, [bytes](AcceptedConnection&, absl::string_view seen) {
            return seen.size() < bytes ? Verdict::kWait : Verdict::kContinue;
          }};
}

TEST_F(ListenerStageTest, FiltersThatWantNoBytesMakeNobodyWait) {
  add({Verdict::kContinue});
  add({Verdict::kContinue});
  begin();
  EXPECT_EQ(end_, StageEnd::kReady);
  EXPECT_EQ(log_, "ab");
}

TEST_F(ListenerStageTest, BytesAreShownWholeAndStay) {
  add(untilFull(4));
  add(untilFull(5));
  begin();
  say("12");
  say("34");
  EXPECT_EQ(log_, "aa(12)a(1234)bb(1234)");
  say("5");
  EXPECT_EQ(end_, StageEnd::kReady);
  EXPECT_EQ(left(), "12345");
}

TEST_F(ListenerStageTest, DroppedBytesAreGoneForThoseBehind) {
  add({Verdict::kWait, [](AcceptedConnection& connection, absl::string_view) {
         connection.drop(2);
         return Verdict::kContinue;
       }});
  add(untilFull(2));
  begin();
  say("1234");
  EXPECT_EQ(log_, "aa(1234)bb(34)");
  EXPECT_EQ(end_, StageEnd::kReady);
  EXPECT_EQ(left(), "34");
}

TEST_F(ListenerStageTest, FilterThatDropsMayGoOnLooking) {
  add({Verdict::kWait,
       [](AcceptedConnection& connection, absl::string_view seen) {
         connection.drop(seen.size());
         return seen == "5" ? Verdict::kContinue : Verdict::kWait;
       },
       2});
  begin();
  say("12345");
  EXPECT_EQ(log_, "aa(12)a(34)a(5)");
  EXPECT_EQ(end_, StageEnd::kReady);
}

TEST_F(ListenerStageTest, FilterThatNeverDecidesClosesTheConnection) {
  add(untilFull(100));
  begin();
  say("0123456789abcdef and more");
  EXPECT_EQ(end_, StageEnd::kRefused);
}

TEST_F(ListenerStageTest, RefusalEndsItAtOnce) {
  add({Verdict::kClose});
  add({Verdict::kContinue});
  begin();
  EXPECT_EQ(end_, StageEnd::kRefused);
  EXPECT_EQ(log_, "a");
}

TEST_F(ListenerStageTest, SilenceTimesOut) {
  add(untilFull(1));
  begin(std::chrono::seconds(3));
  clock_.advance(std::chrono::milliseconds(2999));
  test::settle(loop_);
  EXPECT_EQ(end_, std::nullopt);
  clock_.advance(std::chrono::milliseconds(1));
  test::settle(loop_);
  EXPECT_EQ(end_, StageEnd::kTimedOut);
  EXPECT_TRUE(stage_->heardNothing());
}

TEST_F(ListenerStageTest, EndOfThePeerCountsOnlyWhenMoreIsWanted) {
  add(untilFull(3));
  begin();
  say("12");
  peer_.send("3");
  peer_.end();
  EXPECT_TRUE(test::runUntil(loop_, [this] { return end_.has_value(); }));
  EXPECT_EQ(end_, StageEnd::kReady);
}

TEST_F(ListenerStageTest, EndOfThePeerBeforeItSaidEnough) {
  add(untilFull(3));
  begin();
  say("12");
  peer_.end();
  EXPECT_TRUE(test::runUntil(loop_, [this] { return end_.has_value(); }));
  EXPECT_EQ(end_, StageEnd::kPeerClosed);
}

TEST_F(ListenerStageTest, ResetOfThePeer) {
  add(untilFull(3));
  begin();
  peer_.reset();
  EXPECT_TRUE(test::runUntil(loop_, [this] { return end_.has_value(); }));
  EXPECT_EQ(end_, StageEnd::kPeerReset);
}

TEST_F(ListenerStageTest, DisabledFilterIsLeftOut) {
  add({Verdict::kClose});
  filters_[0].disabled = [](const net::Address& local) { return local.port() != 0; };
  add({Verdict::kContinue});
  begin();
  EXPECT_EQ(end_, StageEnd::kReady);
  EXPECT_EQ(log_, "b");
}

} // namespace
} // namespace culvert
