// SPDX-License-Identifier: Apache-2.0
#include "source/net/splice.h"

#include <dirent.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "source/net/connection.h"
#include "source/net/socket_io.h"
#include "test/kit/pattern.h"
#include "test/kit/peer.h"

namespace culvert::net {
namespace {

using test::Peer;
using test::runUntil;
using test::settle;

// One side of a relay: hands on what it reads, pauses its reading while the other side is blocked.
struct RelaySide final : ConnectionHandler {
  void onData(Buffer& data, bool end) override {
    copied_bytes += data.size();
    other->connection->write(data, end);
  }
  void onWriteBlocked(bool blocked) override {
    if (blocked) {
      other->connection->pauseReading();
    } else {
      other->connection->resumeReading();
    }
  }
  void onClosed(const CloseReason& reason) override {
    closed = reason;
    const bool reset = reason.code == CloseCode::kPeerReset;
    other->connection->close(reset ? CloseMode::kReset : CloseMode::kFlush,
                             CloseReason::of(CloseCode::kUpstreamGone));
  }
  Connection* directSink() override { return direct ? other->connection.get() : nullptr; }
  void onSpliced(size_t bytes) override { spliced_bytes += bytes; }

  RelaySide* other = nullptr;
  std::unique_ptr<Connection> connection;
  bool direct = true;
  size_t copied_bytes = 0;
  size_t spliced_bytes = 0;
  std::optional<CloseReason> closed;
};

// source <-> in | out <-> sink: the test plays the two outer ends.
class SpliceTest : public testing::Test {
protected:
  SpliceTest() {
    loop_.runOnce(false);
    fds_before_ = openFds("");
    pipes_before_ = openFds("pipe:");
  }
  ~SpliceTest() override {
    in_.connection.reset();
    out_.connection.reset();
  }

  void join(test::Sockets left, test::Sockets right) {
    source_ = Peer(std::move(left.theirs));
    sink_ = Peer(std::move(right.theirs));
    begin(in_, out_, std::move(left.ours), 1);
    begin(out_, in_, std::move(right.ours), 2);
    in_.connection->resumeReading();
    out_.connection->resumeReading();
  }
  void join() { join(test::tcpPair(), test::tcpPair()); }
  void begin(RelaySide& side, RelaySide& other, Fd fd, uint64_t id) {
    side.other = &other;
    side.connection = std::make_unique<Connection>(
        loop_, std::make_unique<SocketIo>(loop_, std::move(fd), false), id, false);
    side.connection->start(side);
  }

  // Sends the pattern up to `total` as fast as the source's socket takes it.
  void pushUpTo(uint64_t total) {
    while (sent_ < total) {
      const absl::string_view piece = test::Pattern::at(sent_, total - sent_);
      const size_t taken = source_.send(piece);
      sent_ += taken;
      if (taken < piece.size()) {
        return;
      }
    }
  }
  // Takes at most `limit` bytes and checks that they continue the pattern.
  void pull(size_t limit = static_cast<size_t>(-1)) {
    sink_.take(limit);
    ASSERT_TRUE(test::Pattern::continues(taken_, sink_.received())) << "after byte " << taken_;
    taken_ += sink_.received().size();
    sink_.received().clear();
  }
  // Sends until the flow is bulk and the sink takes no more: the pipe holds bytes then.
  void fillThePipe() {
    ASSERT_TRUE(runUntil(loop_, [&] {
      pushUpTo(sent_ + 1024 * 1024);
      if (in_.spliced_bytes == 0) {
        pull();
      }
      return in_.spliced_bytes > 0 && out_.connection->unsentBytes() > 0;
    }));
    EXPECT_EQ(openPipeEnds(), 2);
  }
  bool sinkGetsAll() {
    return runUntil(loop_, [&] {
      pull();
      return taken_ == sent_;
    });
  }

  int openPipeEnds() const { return openFds("pipe:") - pipes_before_; }
  static int openFds(const std::string& kind) {
    int count = 0;
    DIR* const folder = ::opendir("/proc/self/fd");
    while (const dirent* entry = ::readdir(folder)) {
      char target[256] = {};
      const std::string path = std::string("/proc/self/fd/") + entry->d_name;
      if (::readlink(path.c_str(), target, sizeof(target) - 1) > 0) {
        count += std::string(target).compare(0, kind.size(), kind) == 0;
      }
    }
    ::closedir(folder);
    return count;
  }

  base::SystemClock clock_;
  event::Loop loop_{"test", clock_};
  RelaySide in_;
  RelaySide out_;
  Peer source_;
  Peer sink_;
  uint64_t sent_ = 0;
  uint64_t taken_ = 0;
  int fds_before_ = 0;
  int pipes_before_ = 0; // The test's own input and output may be pipes.
};

constexpr uint64_t kTotal = 50 * 1024 * 1024;

TEST_F(SpliceTest, MovesABulkFlowWholeToASlowSink) {
  join();
  EXPECT_TRUE(runUntil(loop_, [&] {
    pushUpTo(kTotal);
    pull(700'000);
    return taken_ == kTotal;
  }));
  EXPECT_GT(in_.spliced_bytes, kTotal * 3 / 4);
  EXPECT_EQ(in_.spliced_bytes + in_.copied_bytes, kTotal);
  EXPECT_EQ(in_.connection->bytesReceived(), kTotal);
  EXPECT_EQ(out_.connection->bytesSent(), kTotal);
}

TEST_F(SpliceTest, HandsOnTheEndAfterTheBytesOfThePipe) {
  join();
  fillThePipe();
  source_.end();
  EXPECT_TRUE(sinkGetsAll());
  EXPECT_TRUE(runUntil(loop_, [&] { return sink_.seesEnd(); }));
  EXPECT_FALSE(in_.connection->closed());
  sink_.end();
  EXPECT_TRUE(runUntil(loop_, [&] { return source_.seesEnd(); }));
  EXPECT_EQ(in_.closed->code, CloseCode::kPeerClosed);
}

TEST_F(SpliceTest, CopiesAgainOnceReadsAreSmall) {
  join();
  fillThePipe();
  EXPECT_TRUE(sinkGetsAll());
  settle(loop_);
  const size_t before = in_.copied_bytes;
  for (int i = 0; i < 100; i++) {
    pushUpTo(sent_ + 100);
    EXPECT_TRUE(sinkGetsAll());
  }
  EXPECT_GT(in_.copied_bytes, before + 5000);
}

TEST_F(SpliceTest, CountsWhatThePipeHoldsAsUnsent) {
  join();
  fillThePipe();
  EXPECT_EQ(out_.connection->unsentBytes(),
            in_.connection->bytesReceived() - out_.connection->bytesSent());
  EXPECT_TRUE(sinkGetsAll());
  settle(loop_);
  EXPECT_EQ(out_.connection->unsentBytes(), 0u);
}

TEST_F(SpliceTest, ResetsTheSourceWhenTheSinkResetsInTheMiddle) {
  join();
  fillThePipe();
  sink_.reset();
  EXPECT_TRUE(runUntil(loop_, [&] { return source_.seesReset(); }));
  EXPECT_EQ(out_.closed->code, CloseCode::kPeerReset);
}

TEST_F(SpliceTest, ResetsTheSinkWhenTheSourceResetsInTheMiddle) {
  join();
  ASSERT_TRUE(runUntil(loop_, [&] {
    pushUpTo(sent_ + 1024 * 1024);
    pull();
    return in_.spliced_bytes > 1024 * 1024;
  }));
  source_.reset();
  EXPECT_TRUE(runUntil(loop_, [&] { return sink_.seesReset(); }));
  EXPECT_EQ(in_.closed->code, CloseCode::kPeerReset);
}

TEST_F(SpliceTest, FlushesWhatThePipeHoldsWhenTheSinkIsClosed) {
  join();
  fillThePipe();
  out_.connection->close(CloseMode::kFlush, CloseReason::local("test"));
  const uint64_t received = in_.connection->bytesReceived();
  EXPECT_TRUE(runUntil(loop_, [&] { return sink_.seesEnd(); }));
  pull();
  EXPECT_EQ(taken_, received);
  EXPECT_EQ(out_.closed->detail, "test");
}

TEST_F(SpliceTest, FlushesWhatThePipeHoldsWhenTheSourceIsClosed) {
  join();
  fillThePipe();
  in_.connection->close(CloseMode::kNow, CloseReason::local("test"));
  const uint64_t received = in_.connection->bytesReceived();
  EXPECT_TRUE(runUntil(loop_, [&] { return sink_.seesEnd(); }));
  pull();
  EXPECT_EQ(taken_, received);
}

TEST_F(SpliceTest, KeepsItsPlaceWhenSomebodyElseWritesToTheSink) {
  join();
  fillThePipe();
  const uint64_t received = in_.connection->bytesReceived();
  Buffer data = Buffer::borrow("from elsewhere");
  out_.connection->write(data, false);
  EXPECT_TRUE(runUntil(loop_, [&] {
    sink_.take();
    return sink_.received().size() >= received - taken_ + 14;
  }));
  EXPECT_EQ(sink_.received().substr(received - taken_, 14), "from elsewhere");
}

TEST_F(SpliceTest, CopiesWhileSomebodyLooksAtTheBytes) {
  in_.direct = false;
  join();
  EXPECT_TRUE(runUntil(loop_, [&] {
    pushUpTo(kTotal / 5);
    pull();
    return taken_ == kTotal / 5;
  }));
  EXPECT_EQ(in_.spliced_bytes, 0u);
}

TEST_F(SpliceTest, CopiesWhenTheBufferLimitIsBelowThePipes) {
  join();
  in_.connection->setReadLimit(512 * 1024);
  EXPECT_TRUE(runUntil(loop_, [&] {
    pushUpTo(kTotal / 5);
    pull();
    return taken_ == kTotal / 5;
  }));
  EXPECT_EQ(in_.spliced_bytes, 0u);
}

TEST_F(SpliceTest, HoldsNoPipeWhileAFlowIsIdle) {
  join();
  fillThePipe();
  EXPECT_TRUE(sinkGetsAll());
  settle(loop_);
  std::unique_ptr<Pipe> pipe = loop_.local<PipePool>().take();
  EXPECT_EQ(openPipeEnds(), 2) << "the flow's own pipe was the one to take";
  loop_.local<PipePool>().giveBack(std::move(pipe));
}

TEST_F(SpliceTest, LeavesNoDescriptorBehindButThePools) {
  join();
  fillThePipe();
  in_.connection->close(CloseMode::kNow, CloseReason::local("test"));
  out_.connection->close(CloseMode::kNow, CloseReason::local("test"));
  source_.close();
  sink_.close();
  in_.connection.reset();
  out_.connection.reset();
  EXPECT_EQ(openFds(""), fds_before_ + 2) << "the pool keeps the pipe";
  EXPECT_EQ(openPipeEnds(), 2);
}

TEST_F(SpliceTest, MovesBulkBetweenUnixSockets) {
  join(test::unixPair(), test::unixPair());
  EXPECT_TRUE(runUntil(loop_, [&] {
    pushUpTo(kTotal / 5);
    pull();
    return taken_ == kTotal / 5;
  }));
}

TEST(PipePool, KeepsAFewPipesOnly) {
  base::SystemClock clock;
  event::Loop loop("test", clock);
  PipePool& pool = loop.local<PipePool>();
  std::vector<std::unique_ptr<Pipe>> pipes;
  for (int i = 0; i < 12; i++) {
    pipes.push_back(pool.take());
    ASSERT_NE(pipes.back(), nullptr);
  }
  const int last = pipes.back()->read_end.get();
  for (auto& pipe : pipes) {
    pool.giveBack(std::move(pipe));
  }
  EXPECT_EQ(::fcntl(last, F_GETFD), -1) << "the twelfth was closed";
}

} // namespace
} // namespace culvert::net
