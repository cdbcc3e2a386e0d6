// SPDX-License-Identifier: Apache-2.0
#include "source/filter_api/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "test/kit/scripted_chain.h"

namespace culvert {
namespace {

using test::Chain;
using test::Script;

Next stop() { return Next::kStop; }
Next stopAtBytes(Buffer&, bool) { return Next::kStop; }

TEST(Session, HandsBytesThroughTheChain) {
  Chain chain(2);
  chain.open();
  chain.fromPeer("hello");
  EXPECT_EQ(chain.behind, "hello");
  EXPECT_EQ(chain[1].read, "hello");
  chain.fromBehind("bye");
  EXPECT_EQ(chain.peer.received, "bye");
  EXPECT_EQ(chain[0].written, "bye");
}

TEST(Session, LetsAFilterChangeWhatItSees) {
  Chain chain(1);
  chain[0].at_data = [](Buffer& data, bool) {
    data.drain(1);
    data.append("!");
    return Next::kContinue;
  };
  chain[0].at_write = [](Buffer& data, bool) {
    data.append("?");
    return Next::kContinue;
  };
  chain.open();
  chain.fromPeer("hello");
  chain.fromBehind("bye");
  EXPECT_EQ(chain.behind, "ello!");
  EXPECT_EQ(chain.peer.received, "bye?");
}

TEST(Session, KeepsWhatComesBehindAFilterThatHasNotOpened) {
  Chain chain(2);
  chain[0].at_open = stop;
  chain.open();
  chain.fromPeer("hello", /*end=*/true);
  EXPECT_EQ(chain[0].read_ends, 1);
  EXPECT_EQ(chain[1].opens + chain.last().opens, 0);
  chain[0].filter->resume();
  EXPECT_EQ(chain.last().opens, 1);
  EXPECT_EQ(chain.behind, "hello");
  EXPECT_EQ(chain.last().read_ends, 1);
}

TEST(Session, ShowsKeptBytesAgainInFrontOfTheNextOnes) {
  Chain chain(1);
  chain[0].at_data = [](Buffer& data, bool) {
    return data.size() < 6 ? Next::kStop : Next::kContinue;
  };
  chain.open();
  chain.fromPeer("hel");
  EXPECT_EQ(chain.behind, "");
  chain.fromPeer("lo!");
  EXPECT_EQ(chain[0].read, "hello!");
  EXPECT_EQ(chain.behind, "hello!");
}

TEST(Session, ShowsKeptWritesAgainInFrontOfTheNextOnes) {
  Chain chain(1);
  chain[0].at_write = [](Buffer& data, bool) {
    return data.size() < 6 ? Next::kStop : Next::kContinue;
  };
  chain.open();
  chain.fromBehind("hel");
  EXPECT_EQ(chain.peer.received, "");
  chain.fromBehind("lo!");
  EXPECT_EQ(chain.peer.received, "hello!");
}

TEST(Session, KeepsOnlyWhatAFilterLeft) {
  Chain chain(1);
  chain[0].at_data = [](Buffer& data, bool) {
    data.drain(4);
    return Next::kStop;
  };
  chain.open();
  chain.fromPeer("headbody");
  chain[0].filter->resume();
  EXPECT_EQ(chain.behind, "body");
}

TEST(Session, DeliversAnEndThatWasStoppedWithoutBytes) {
  Chain chain(1);
  chain[0].at_data = stopAtBytes;
  chain.open();
  chain.fromPeer("", /*end=*/true);
  EXPECT_EQ(chain.last().read_ends, 0);
  chain[0].filter->resume();
  EXPECT_EQ(chain.last().read_ends, 1);
  EXPECT_EQ(chain[0].read_ends, 1);
}

TEST(Session, StaysOpenWhileAFilterKeepsTheLastOfWhatWasRead) {
  Chain chain(1);
  chain[0].at_data = stopAtBytes;
  chain.open();
  chain.fromBehind("bye", /*end=*/true);
  chain.fromPeer("hello", /*end=*/true);
  EXPECT_FALSE(chain.closed.has_value());
  chain[0].filter->resume();
  EXPECT_EQ(chain.behind, "hello");
  EXPECT_EQ(chain.closed->code, CloseCode::kPeerClosed);
}

TEST(Session, ResumesWritesAlsoAfterReadsWentOn) {
  Chain chain(1);
  chain[0].at_write = stopAtBytes;
  chain.open();
  chain.fromBehind("bye");
  chain.fromPeer("hello");
  chain[0].filter->resume();
  EXPECT_EQ(chain.peer.received, "bye");
}

TEST(Session, ResumesTheLastFilterAfterItStoppedAtItsOpening) {
  Chain chain(0);
  chain[0].at_open = stop;
  chain.open();
  chain[0].filter->resume();
  EXPECT_EQ(chain[0].opens, 1);
}

TEST(Session, OpensEachFilterOnceWhenOneResumesInItsOnData) {
  Chain chain(2);
  chain[0].at_open = stop;
  chain[0].at_data = [&](Buffer&, bool) {
    chain[0].filter->resume();
    return Next::kContinue;
  };
  chain.open();
  chain.fromPeer("hello");
  EXPECT_EQ(chain[1].opens, 1);
  EXPECT_EQ(chain.last().opens, 1);
  EXPECT_EQ(chain.behind, "hello");
}

TEST(Session, OpensEachFilterOnceWhenBytesThatWaitedMakeOneResume) {
  Chain chain(3);
  chain[0].at_open = stop;
  chain[1].at_open = stop;
  chain[1].at_data = chain[0].at_data = [&](Buffer&, bool) { return Next::kContinue; };
  chain[1].at_data = [&](Buffer&, bool) {
    chain[1].filter->resume();
    return Next::kContinue;
  };
  chain.open();
  chain.fromPeer("hello");
  chain[0].filter->resume();
  EXPECT_EQ(chain[2].opens, 1);
  EXPECT_EQ(chain.last().opens, 1);
  EXPECT_EQ(chain.behind, "hello");
}

TEST(SessionDeathTest, StopsAProgramThatResumesWhatWasNotStopped) {
  Chain chain(1);
  chain.open();
  EXPECT_DEATH(chain[0].filter->resume(), "check failed");
}

// Every combination of stops at the three verbs in chains of one to three filters, resumed in every
// order: whatever stops, all bytes and both ends arrive once and in order.
class Combination {
public:
  Combination(size_t filters, unsigned stops) : chain_(filters), went_(filters, false) {
    for (size_t i = 0; i < filters; i++) {
      const unsigned bits = stops >> (3 * i);
      const auto answer = [this, i] { return went_[i] ? Next::kContinue : Next::kStop; };
      if ((bits & 1) != 0) {
        chain_[i].at_open = answer;
      }
      if ((bits & 2) != 0) {
        chain_[i].at_data = [=](Buffer&, bool) { return answer(); };
      }
      if ((bits & 4) != 0) {
        chain_[i].at_write = [=](Buffer&, bool) { return answer(); };
      }
    }
  }

  void run(const std::vector<size_t>& order) {
    chain_.open();
    chain_.fromPeer("ab");
    write("wx", false);
    chain_.fromPeer("cd", /*end=*/true);
    write("yz", true);
    for (size_t round = 0; round < order.size(); round++) {
      for (const size_t i : order) {
        resume(i);
      }
    }
  }

  void check() {
    EXPECT_EQ(chain_.behind, "abcd");
    EXPECT_EQ(chain_.peer.received, "wxyz");
    EXPECT_TRUE(chain_.peer.got_end);
    for (size_t i = 0; i <= chain_.filters(); i++) {
      EXPECT_EQ(chain_[i].opens, 1);
      EXPECT_EQ(chain_[i].read_ends, 1);
      EXPECT_EQ(chain_[i].write_ends, i == chain_.filters() ? 0 : 1);
      EXPECT_EQ(chain_[i].closes, 1);
    }
    EXPECT_EQ(chain_.closes, 1);
    EXPECT_EQ(chain_.closed->code, CloseCode::kPeerClosed);
  }

private:
  void write(absl::string_view bytes, bool end) {
    if (chain_.last().opens == 1) {
      chain_.fromBehind(bytes, end);
    } else {
      unwritten_.append(bytes.data(), bytes.size());
    }
  }
  // Resumes a filter that stopped something; the last one writes once it is there.
  void resume(size_t i) {
    Script& script = chain_[i];
    const bool stopped = (script.at_open && script.opens == 1) ||
                         (script.at_data && !script.read.empty()) ||
                         (script.at_write && !script.written.empty());
    if (!stopped || went_[i]) {
      return;
    }
    went_[i] = true;
    script.filter->resume();
    if (chain_.last().opens == 1 && !unwritten_.empty()) {
      chain_.fromBehind(std::exchange(unwritten_, ""), true);
    }
  }

  Chain chain_;
  std::vector<bool> went_;
  std::string unwritten_;
};

TEST(Session, DeliversEverythingOnceWhateverIsStopped) {
  for (size_t filters = 1; filters <= 3; filters++) {
    for (unsigned stops = 0; stops < 1u << (3 * filters); stops++) {
      std::vector<size_t> order;
      for (size_t i = 0; i < filters; i++) {
        order.push_back(i);
      }
      do {
        SCOPED_TRACE(absl::StrCat("stops ", stops, " resumed ", absl::StrJoin(order, ",")));
        Combination combination(filters, stops);
        combination.run(order);
        combination.check();
        if (testing::Test::HasFailure()) {
          return;
        }
      } while (std::next_permutation(order.begin(), order.end()));
    }
  }
}

TEST(Session, PausesThePeerWhileAFilterKeepsTooMuch) {
  Chain chain(1);
  chain.read_limit_bytes = 4;
  chain[0].at_data = stopAtBytes;
  chain.open();
  chain.fromPeer("abcdefgh");
  EXPECT_EQ(chain[0].read, "abcd");
  EXPECT_EQ(chain.peer.to_send, "efgh");
  chain[0].at_data = nullptr;
  chain[0].filter->resume();
  chain.turn();
  EXPECT_EQ(chain.behind, "abcdefgh");
}

TEST(Session, PausesThePeerWhileTooMuchWaitsForAnOpening) {
  Chain chain(1);
  chain.read_limit_bytes = 4;
  chain[0].at_open = stop;
  chain.open();
  chain.fromPeer("abcdefgh");
  EXPECT_EQ(chain.peer.to_send, "efgh");
  chain[0].filter->resume();
  chain.turn();
  EXPECT_EQ(chain.behind, "abcdefgh");
}

TEST(Session, TellsTheSourceToStopWhileAFilterKeepsTooMuchOfItsWrites) {
  Chain chain(1);
  chain.read_limit_bytes = 4;
  chain[0].at_write = stopAtBytes;
  chain.open();
  chain.fromBehind("abc");
  EXPECT_TRUE(chain.last().blocked.empty());
  chain.fromBehind("def");
  EXPECT_EQ(chain.last().blocked, (std::vector<bool>{true}));
  chain[0].filter->resume();
  EXPECT_EQ(chain.last().blocked, (std::vector<bool>{true, false}));
  EXPECT_EQ(chain.peer.received, "abcdef");
}

TEST(Session, TellsAllFiltersThatThePeerIsSlow) {
  Chain chain(1);
  chain.open();
  chain.window(2);
  chain.fromBehind("abc");
  EXPECT_EQ(chain[0].blocked, (std::vector<bool>{true}));
  EXPECT_EQ(chain.last().blocked, (std::vector<bool>{true}));
  chain.window(10);
  EXPECT_EQ(chain.last().blocked, (std::vector<bool>{true, false}));
}

TEST(Session, TellsAFilterAtItsOpeningThatThePeerIsSlow) {
  Chain chain(1);
  chain.peer.window_bytes = 2;
  chain[0].at_open = [&] {
    Buffer data = Buffer::borrow("banner");
    chain[0].filter->connection().write(data, false);
    return Next::kStop;
  };
  chain.open();
  EXPECT_TRUE(chain.last().blocked.empty());
  chain[0].filter->resume();
  EXPECT_EQ(chain.last().blocked, (std::vector<bool>{true}));
  chain.window(10);
  EXPECT_EQ(chain.last().blocked, (std::vector<bool>{true, false}));
}

TEST(Session, MayBeClosedAtAnyVerb) {
  for (const CloseMode mode : {CloseMode::kFlush, CloseMode::kNow, CloseMode::kReset}) {
    for (int verb = 0; verb < 4; verb++) {
      SCOPED_TRACE(verb);
      Chain chain(2);
      const auto close = [&] {
        return chain[0].filter->connection().close(CloseReason::local("here"), mode);
      };
      if (verb == 0) {
        chain[0].at_open = close;
      } else if (verb == 1) {
        chain[0].at_data = [=](Buffer&, bool) { return close(); };
      } else if (verb == 2) {
        chain[0].at_write = [=](Buffer&, bool) { return close(); };
      } else {
        chain[0].at_blocked = [=](bool blocked) { blocked ? close() : Next::kStop; };
      }
      chain.open();
      if (verb == 1) {
        chain.fromPeer("hello");
      } else if (verb > 1) {
        chain.window(verb == 2 ? 10 : 1);
        chain.fromBehind("bye");
        chain.window(10);
      }
      ASSERT_TRUE(chain.closed.has_value());
      EXPECT_EQ(chain.closed->detail, "here");
      EXPECT_EQ(chain.closes, 1);
      EXPECT_EQ(chain[0].closes + chain[1].closes + chain.last().closes, 3);
      EXPECT_EQ(chain[1].opens, verb == 0 ? 0 : 1);
      EXPECT_EQ(chain.behind, "");
      EXPECT_EQ(chain.peer.received, verb != 3 ? "" : mode == CloseMode::kFlush ? "bye" : "b");
      EXPECT_EQ(chain.peer.got_reset, mode == CloseMode::kReset);
    }
  }
}

TEST(Session, OpensNothingMoreOnceItIsClosing) {
  Chain chain(1);
  chain.peer.window_bytes = 0;
  chain[0].at_open = [&] {
    Buffer data = Buffer::borrow("bye");
    chain[0].filter->connection().write(data, false);
    chain[0].filter->connection().close(CloseReason::local("here"), CloseMode::kFlush);
    return Next::kStop;
  };
  chain.open();
  chain[0].filter->resume();
  chain.fromPeer("hello");
  EXPECT_EQ(chain.last().opens, 0);
  EXPECT_EQ(chain[0].read, "");
  chain.window(10);
  EXPECT_EQ(chain.peer.received, "bye");
  EXPECT_EQ(chain.closed->detail, "here");
}

TEST(Session, DropsWhatIsKeptWhenThePeerResets) {
  Chain chain(2);
  chain[1].at_data = stopAtBytes;
  chain.open();
  chain.fromPeer("hello");
  chain.peer.send_reset = true;
  chain.turn();
  EXPECT_EQ(chain.closed->code, CloseCode::kPeerReset);
  EXPECT_EQ(chain.behind, "");
  EXPECT_EQ(chain.last().closes, 1);
}

TEST(Session, AsksAFilterNoMoreThatBypasses) {
  Chain chain(1);
  chain[0].at_data = [&](Buffer&, bool) {
    chain[0].filter->bypass();
    return Next::kContinue;
  };
  chain.open();
  chain.fromPeer("first");
  chain.fromPeer("second");
  chain.fromBehind("back");
  EXPECT_EQ(chain[0].read, "first");
  EXPECT_EQ(chain[0].written, "");
  EXPECT_EQ(chain.behind, "firstsecond");
  EXPECT_EQ(chain.peer.received, "back");
}

TEST(Session, KeepsTheStopOfAFilterThatBypasses) {
  Chain chain(1);
  chain[0].at_data = [&](Buffer&, bool) {
    chain[0].filter->bypass();
    return Next::kStop;
  };
  chain[0].at_write = stopAtBytes;
  chain.open();
  chain.fromBehind("x");
  chain.fromPeer("first");
  chain.fromPeer("second", /*end=*/true);
  chain.fromBehind("y");
  EXPECT_EQ(chain[0].read, "first");
  EXPECT_EQ(chain.behind + chain.peer.received, "");
  chain[0].filter->resume();
  EXPECT_EQ(chain.behind, "firstsecond");
  EXPECT_EQ(chain.last().read_ends, 1);
  EXPECT_EQ(chain.peer.received, "xy");
}

TEST(Session, GoesPastTheFiltersOnlyWhenNobodyLooks) {
  Chain chain(1);
  chain.open();
  Session& session = chain.session();
  session.setDirectSink(&session.transport(), {});
  net::ConnectionHandler& handler = session;
  EXPECT_EQ(handler.directSink(), nullptr);
  EXPECT_TRUE(session.writesAreSeen());
  chain[0].filter->bypass();
  EXPECT_EQ(handler.directSink(), &session.transport());
  EXPECT_FALSE(session.writesAreSeen());
}

TEST(Session, DoesNotGoPastAFilterThatKeepsSomething) {
  Chain chain(1);
  chain[0].at_data = stopAtBytes;
  chain[0].at_write = stopAtBytes;
  chain.open();
  chain.fromPeer("hello");
  chain.fromBehind("bye");
  Session& session = chain.session();
  session.setDirectSink(&session.transport(), {});
  net::ConnectionHandler& handler = session;
  chain[0].filter->bypass();
  EXPECT_EQ(handler.directSink(), nullptr);
  EXPECT_TRUE(session.writesAreSeen());
  chain[0].filter->resume();
  EXPECT_EQ(handler.directSink(), &session.transport());
  EXPECT_FALSE(session.writesAreSeen());
}

TEST(Session, LeavesTheRecordOfTheConnection) {
  Chain chain(0);
  chain.open();
  chain.fromPeer("hello");
  chain.fromBehind("bye");
  chain.last().filter->connection().close(CloseReason::local("enough"));
  const ConnectionInfo& info = chain.session().info();
  EXPECT_EQ(info.bytes_received, 5u);
  EXPECT_EQ(info.bytes_sent, 3u);
  EXPECT_EQ(info.local_close_reason, "enough");
  EXPECT_EQ(info.close_reason.code, CloseCode::kFilter);
}

// What an idle connection costs; the allocator's next larger size is a step of 64 bytes.
TEST(Session, StaysSmall) { EXPECT_LE(sizeof(Session), 512u); }

} // namespace
} // namespace culvert
