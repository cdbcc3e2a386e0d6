// SPDX-License-Identifier: Apache-2.0
#include "source/net/connection.h"

#include <gtest/gtest.h>
#include <sys/ioctl.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "source/event/simulated_clock.h"
#include "source/net/socket_io.h"
#include "test/kit/peer.h"

namespace culvert::net {
namespace {

using test::Peer;
using test::runUntil;
using test::settle;

// Notes what it hears, and does what the test wants at that moment.
struct Handler final : ConnectionHandler {
  void onConnected() override {
    connected = true;
    if (at_connected) {
      at_connected();
    }
  }
  void onData(Buffer& data, bool end) override {
    received += data.toString();
    ends += end;
    if (at_data) {
      at_data(data, end);
    }
  }
  void onWriteBlocked(bool is_blocked) override {
    blocked.push_back(is_blocked);
    if (at_blocked) {
      at_blocked(is_blocked);
    }
  }
  void onClosed(const CloseReason& reason) override {
    closed = reason;
    closes++;
  }

  bool connected = false;
  std::string received;
  int ends = 0;
  std::vector<bool> blocked;
  std::optional<CloseReason> closed;
  int closes = 0;
  std::function<void()> at_connected;
  std::function<void(Buffer&, bool)> at_data;
  std::function<void(bool)> at_blocked;
};

// A connection over loopback TCP, and its peer.
class ConnectionTest : public testing::Test {
protected:
  ConnectionTest() {
    test::Sockets sockets = test::tcpPair();
    peer_ = Peer(std::move(sockets.theirs));
    adopt(std::make_unique<SocketIo>(loop_, std::move(sockets.ours), false), false);
  }
  ~ConnectionTest() override {
    connection_.reset();
    EXPECT_LE(handler_.closes, 1);
  }

  void adopt(std::unique_ptr<Io> io, bool opening) {
    connection_ = std::make_unique<Connection>(loop_, std::move(io), 1, opening);
    connection_->start(handler_);
    if (!opening) {
      connection_->resumeReading();
    }
  }

  void write(absl::string_view bytes, bool end = false) {
    Buffer data = Buffer::borrow(bytes);
    connection_->write(data, end);
    EXPECT_TRUE(data.empty());
  }
  // Writes more than the kernel holds for a peer that takes nothing.
  std::string overfill() {
    std::string bytes(8 * 1024 * 1024, 'x');
    for (size_t i = 0; i < bytes.size(); i += 1000) {
      bytes[i] = static_cast<char>('a' + i / 1000 % 26);
    }
    write(bytes);
    EXPECT_GT(connection_->unsentBytes(), 0u);
    return bytes;
  }
  bool closedAs(CloseCode code) {
    runUntil(loop_, [&] { return handler_.closed.has_value(); });
    EXPECT_TRUE(handler_.closed.has_value());
    EXPECT_EQ(name(handler_.closed.value_or(CloseReason()).code), name(code));
    return handler_.closed.has_value() && handler_.closed->code == code;
  }
  // What the kernel holds for us: a reset does not take it away.
  size_t arrivedBytes() {
    int bytes = 0;
    ::ioctl(connection_->io().plainFd(), FIONREAD, &bytes);
    return static_cast<size_t>(bytes);
  }
  void close(CloseMode mode) { connection_->close(mode, CloseReason::local("test")); }

  event::SimulatedClock clock_;
  event::Loop loop_{"test", clock_};
  Handler handler_;
  Peer peer_;
  std::unique_ptr<Connection> connection_;
};

TEST_F(ConnectionTest, DeliversWhatThePeerSends) {
  peer_.send("hello");
  EXPECT_TRUE(runUntil(loop_, [&] { return handler_.received == "hello"; }));
  EXPECT_EQ(connection_->bytesReceived(), 5u);
  EXPECT_EQ(handler_.ends, 0);
}

TEST_F(ConnectionTest, ReadsNoMoreThanItsLimitAtOnce) {
  std::vector<size_t> sizes;
  handler_.at_data = [&](Buffer& data, bool) { sizes.push_back(data.size()); };
  connection_->setReadLimit(4);
  peer_.send("1234567890");
  EXPECT_TRUE(runUntil(loop_, [&] { return handler_.received == "1234567890"; }));
  EXPECT_EQ(sizes, (std::vector<size_t>{4, 4, 2}));
}

TEST_F(ConnectionTest, ReadsOnWithoutALimit) {
  connection_->setReadLimit(0);
  peer_.send("hello");
  EXPECT_TRUE(runUntil(loop_, [&] { return handler_.received == "hello"; }));
  EXPECT_EQ(handler_.ends, 0);
}

TEST_F(ConnectionTest, KeepsWhatASlowPeerRefusesAndDeliversItWhole) {
  const std::string bytes = overfill();
  EXPECT_EQ(handler_.blocked, (std::vector<bool>{true}));
  EXPECT_TRUE(runUntil(loop_, [&] {
    peer_.take(100'000);
    return peer_.received().size() == bytes.size();
  }));
  EXPECT_TRUE(peer_.received() == bytes);
  EXPECT_EQ(handler_.blocked, (std::vector<bool>{true, false}));
  EXPECT_EQ(connection_->bytesSent(), bytes.size());
  EXPECT_EQ(connection_->unsentBytes(), 0u);
}

TEST_F(ConnectionTest, KeepsTheOrderOfWhatIsWrittenWhileThePeerIsSlow) {
  std::string bytes = overfill();
  write("more");
  write("and more", true);
  EXPECT_TRUE(runUntil(loop_, [&] { return peer_.seesEnd(); }));
  EXPECT_TRUE(peer_.received() == bytes + "moreand more");
}

TEST_F(ConnectionTest, WritesOnAfterThePeerHalfCloses) {
  peer_.send("question");
  peer_.end();
  EXPECT_TRUE(runUntil(loop_, [&] { return handler_.ends == 1; }));
  EXPECT_EQ(handler_.received, "question");
  write("late ");
  write("answer", true);
  EXPECT_TRUE(runUntil(loop_, [&] { return peer_.seesEnd(); }));
  EXPECT_EQ(peer_.received(), "late answer");
  EXPECT_TRUE(closedAs(CloseCode::kPeerClosed));
  EXPECT_EQ(handler_.ends, 1);
}

TEST_F(ConnectionTest, ReadsOnAfterItHalfCloses) {
  write("question", true);
  EXPECT_TRUE(runUntil(loop_, [&] { return peer_.seesEnd(); }));
  EXPECT_FALSE(connection_->closed());
  peer_.send("answer");
  EXPECT_TRUE(runUntil(loop_, [&] { return handler_.received == "answer"; }));
  peer_.end();
  EXPECT_TRUE(closedAs(CloseCode::kPeerClosed));
  EXPECT_EQ(connection_->detectedClose(), DetectedClose::kNormal);
}

TEST_F(ConnectionTest, SendsItsEndAfterTheBytesThatAreStillUnsent) {
  peer_.end();
  EXPECT_TRUE(runUntil(loop_, [&] { return handler_.ends == 1; }));
  const std::string bytes = overfill();
  write("", true);
  settle(loop_);
  EXPECT_FALSE(connection_->closed());
  EXPECT_TRUE(runUntil(loop_, [&] { return peer_.seesEnd(); }));
  EXPECT_TRUE(peer_.received() == bytes);
  EXPECT_TRUE(closedAs(CloseCode::kPeerClosed));
}

TEST_F(ConnectionTest, NoticesAResetWhileItReads) {
  peer_.reset();
  EXPECT_TRUE(closedAs(CloseCode::kPeerReset));
  EXPECT_EQ(connection_->detectedClose(), DetectedClose::kRemoteReset);
  EXPECT_EQ(handler_.ends, 0);
}

TEST_F(ConnectionTest, DeliversWhatThePeerSentBeforeItsReset) {
  peer_.send(std::string(400'000, 'x'));
  const size_t arrived = arrivedBytes();
  EXPECT_GT(arrived, 0u);
  peer_.reset();
  EXPECT_TRUE(closedAs(CloseCode::kPeerReset));
  EXPECT_EQ(handler_.received.size(), arrived);
}

TEST_F(ConnectionTest, DeliversWhatThePeerSentBeforeItsResetAlsoAfterAPause) {
  connection_->pauseReading();
  peer_.send("hello");
  peer_.reset();
  settle(loop_);
  EXPECT_FALSE(connection_->closed());
  EXPECT_EQ(handler_.received, "");
  connection_->resumeReading();
  EXPECT_TRUE(closedAs(CloseCode::kPeerReset));
  EXPECT_EQ(handler_.received, "hello");
}

TEST_F(ConnectionTest, NoticesAResetWhileItIsPausedAndWatched) {
  connection_->pauseReading();
  connection_->watchPeer();
  settle(loop_);
  EXPECT_FALSE(connection_->closed());
  peer_.reset();
  EXPECT_TRUE(closedAs(CloseCode::kPeerReset));
}

TEST_F(ConnectionTest, KeepsThePeersBytesWhenItHalfClosesWhileWatched) {
  connection_->pauseReading();
  connection_->watchPeer();
  peer_.send("hello");
  peer_.end();
  settle(loop_);
  EXPECT_FALSE(connection_->closed());
  connection_->resumeReading();
  EXPECT_TRUE(runUntil(loop_, [&] { return handler_.ends == 1; }));
  EXPECT_EQ(handler_.received, "hello");
}

TEST_F(ConnectionTest, NoticesAResetAfterThePeersHalfClose) {
  peer_.end();
  EXPECT_TRUE(runUntil(loop_, [&] { return handler_.ends == 1; }));
  settle(loop_);
  EXPECT_FALSE(connection_->closed());
  write("bytes that the peer does not read");
  peer_.reset();
  EXPECT_TRUE(closedAs(CloseCode::kPeerReset));
}

TEST_F(ConnectionTest, NoticesAResetAfterThePeersHalfCloseWhileItIsBlocked) {
  peer_.end();
  EXPECT_TRUE(runUntil(loop_, [&] { return handler_.ends == 1; }));
  overfill();
  settle(loop_);
  peer_.reset();
  EXPECT_TRUE(closedAs(CloseCode::kPeerReset));
}

TEST_F(ConnectionTest, ReadsToTheEndWhenItCanWriteNoMore) {
  peer_.send(std::string(400'000, 'x'));
  const size_t arrived = arrivedBytes();
  peer_.reset();
  write("unwanted");
  write("unwanted");
  EXPECT_TRUE(closedAs(CloseCode::kPeerReset));
  EXPECT_EQ(handler_.received.size(), arrived);
}

TEST_F(ConnectionTest, EndsWhenItCanWriteNoMoreWhileItIsPaused) {
  connection_->pauseReading();
  peer_.reset();
  settle(loop_);
  write("unwanted");
  EXPECT_TRUE(closedAs(CloseCode::kPeerReset));
}

TEST_F(ConnectionTest, CountsItsPauses) {
  connection_->pauseReading();
  connection_->pauseReading();
  peer_.send("hello");
  settle(loop_);
  connection_->resumeReading();
  settle(loop_);
  EXPECT_EQ(handler_.received, "");
  connection_->resumeReading();
  EXPECT_TRUE(runUntil(loop_, [&] { return handler_.received == "hello"; }));
}

TEST_F(ConnectionTest, StopsReadingAtOnceWhenItIsPausedInItsCallback) {
  connection_->setReadLimit(1);
  handler_.at_data = [&](Buffer&, bool) { connection_->pauseReading(); };
  peer_.send("abc");
  EXPECT_TRUE(runUntil(loop_, [&] { return !handler_.received.empty(); }));
  settle(loop_);
  EXPECT_EQ(handler_.received, "a");
  connection_->resumeReading();
  settle(loop_);
  EXPECT_EQ(handler_.received, "ab");
}

TEST_F(ConnectionTest, FlushesBeforeItCloses) {
  const std::string bytes = overfill();
  close(CloseMode::kFlush);
  EXPECT_FALSE(connection_->closed());
  write("too late");
  peer_.send("ignored");
  EXPECT_TRUE(runUntil(loop_, [&] { return peer_.seesEnd(); }));
  EXPECT_TRUE(peer_.received() == bytes);
  EXPECT_EQ(handler_.received, "");
  ASSERT_TRUE(closedAs(CloseCode::kFilter));
  EXPECT_EQ(handler_.closed->detail, "test");
  EXPECT_EQ(handler_.blocked, (std::vector<bool>{true}));
}

TEST_F(ConnectionTest, DoesNotResetAPeerThatSentSomethingUnreadWhenItHasFlushed) {
  connection_->pauseReading();
  peer_.send("unread");
  settle(loop_);
  write("bye");
  close(CloseMode::kFlush);
  EXPECT_TRUE(connection_->closed());
  EXPECT_TRUE(runUntil(loop_, [&] { return peer_.seesEnd(); }));
  EXPECT_EQ(peer_.received(), "bye");
}

TEST_F(ConnectionTest, IsGoneWhenThePeerResetsWhatIsBeingFlushed) {
  overfill();
  close(CloseMode::kFlush);
  peer_.reset();
  EXPECT_TRUE(closedAs(CloseCode::kPeerReset));
}

TEST_F(ConnectionTest, ClosesAtOnceWhatHasNothingToFlush) {
  write("bye");
  close(CloseMode::kFlush);
  EXPECT_TRUE(connection_->closed());
  EXPECT_TRUE(runUntil(loop_, [&] { return peer_.seesEnd(); }));
  EXPECT_EQ(peer_.received(), "bye");
}

TEST_F(ConnectionTest, DropsWhatIsUnsentWhenItClosesNow) {
  const size_t written = overfill().size();
  close(CloseMode::kNow);
  EXPECT_TRUE(closedAs(CloseCode::kFilter));
  EXPECT_TRUE(runUntil(loop_, [&] { return peer_.seesEnd(); }));
  EXPECT_LT(peer_.received().size(), written);
}

TEST_F(ConnectionTest, LeavesInputUnreadToAResetWhenItClosesNow) {
  connection_->pauseReading();
  peer_.send("unread");
  settle(loop_);
  close(CloseMode::kNow);
  EXPECT_TRUE(runUntil(loop_, [&] { return peer_.seesReset(); }));
  EXPECT_EQ(connection_->detectedClose(), DetectedClose::kNormal);
}

TEST_F(ConnectionTest, ResetsThePeerWhenAskedTo) {
  close(CloseMode::kReset);
  EXPECT_TRUE(runUntil(loop_, [&] { return peer_.seesReset(); }));
  EXPECT_EQ(connection_->detectedClose(), DetectedClose::kLocalReset);
  EXPECT_EQ(handler_.closes, 1);
}

TEST_F(ConnectionTest, EndsThePeersConnectionWhenItIsDestroyed) {
  connection_.reset();
  EXPECT_TRUE(runUntil(loop_, [&] { return peer_.seesEnd(); }));
  EXPECT_FALSE(handler_.closed.has_value());
}

TEST_F(ConnectionTest, MayBeClosedInAnyCallback) {
  handler_.at_data = [&](Buffer&, bool) { close(CloseMode::kNow); };
  peer_.send("hello");
  EXPECT_TRUE(closedAs(CloseCode::kFilter));
}

TEST_F(ConnectionTest, MayBeClosedWhenItBlocks) {
  handler_.at_blocked = [&](bool) { close(CloseMode::kNow); };
  write(std::string(8 * 1024 * 1024, 'x'));
  EXPECT_TRUE(connection_->closed());
}

TEST_F(ConnectionTest, MayBeClosedWhenItIsNoLongerBlocked) {
  overfill();
  handler_.at_blocked = [&](bool) { close(CloseMode::kNow); };
  EXPECT_TRUE(runUntil(loop_, [&] {
    peer_.take();
    return connection_->closed();
  }));
  EXPECT_EQ(handler_.closes, 1);
}

TEST_F(ConnectionTest, ClosesWhenItAnswersThePeersEndInTheSameCallback) {
  handler_.at_data = [&](Buffer&, bool end) {
    if (end) {
      write("bye", true);
    }
  };
  peer_.end();
  EXPECT_TRUE(closedAs(CloseCode::kPeerClosed));
  EXPECT_TRUE(peer_.seesEnd());
  EXPECT_EQ(peer_.received(), "bye");
}

// Connecting.
class ConnectingTest : public ConnectionTest {
protected:
  void connect(const Address& address) {
    adopt(std::make_unique<SocketIo>(loop_, *connectTo(address, {}), true), true);
  }
  static Fd listen(int backlog = 128) {
    ListenOptions options;
    options.backlog = backlog;
    return *listenOn(*Address::parseIp("127.0.0.1", 0), options);
  }
};

TEST_F(ConnectingTest, TellsWhenItIsConnected) {
  const Fd listener = listen();
  connect(Address::localOf(listener.get()));
  EXPECT_FALSE(connection_->open());
  EXPECT_TRUE(runUntil(loop_, [&] { return handler_.connected; }));
  EXPECT_TRUE(connection_->open());
  EXPECT_EQ(connection_->io().localAddress(),
            Address::peerOf(test::acceptFrom(listener.get()).get()));
}

TEST_F(ConnectingTest, SendsAfterwardsWhatWasWrittenBefore) {
  const Fd listener = listen();
  connect(Address::localOf(listener.get()));
  write("early");
  write("", true);
  Peer host(test::acceptFrom(listener.get()));
  EXPECT_TRUE(runUntil(loop_, [&] { return host.seesEnd(); }));
  EXPECT_EQ(host.received(), "early");
}

TEST_F(ConnectingTest, SendsAfterwardsAnEndWithoutBytes) {
  const Fd listener = listen();
  connect(Address::localOf(listener.get()));
  write("", true);
  Peer host(test::acceptFrom(listener.get()));
  EXPECT_TRUE(runUntil(loop_, [&] { return host.seesEnd(); }));
}

TEST_F(ConnectingTest, FlushesAfterwardsWhatWasClosedBefore) {
  const Fd listener = listen();
  connect(Address::localOf(listener.get()));
  write("early");
  close(CloseMode::kFlush);
  Peer host(test::acceptFrom(listener.get()));
  EXPECT_TRUE(runUntil(loop_, [&] { return host.seesEnd(); }));
  EXPECT_EQ(host.received(), "early");
  EXPECT_TRUE(closedAs(CloseCode::kFilter));
}

TEST_F(ConnectingTest, SaysWhyItWasRefused) {
  const Address nobody = Address::localOf(listen().get());
  connect(nobody);
  EXPECT_TRUE(closedAs(CloseCode::kTransportFailure));
  EXPECT_FALSE(handler_.connected);
  EXPECT_EQ(connection_->io().failureReason(), "delayed connect error: Connection refused");
}

// A listener whose queue is full answers nobody.
TEST_F(ConnectingTest, IsGivenUpWhenItsTimeIsOver) {
  const Fd listener = listen(/*backlog=*/0);
  const Address address = Address::localOf(listener.get());
  std::vector<Fd> queued;
  for (int i = 0; i < 4; i++) {
    queued.push_back(*connectTo(address, {}));
  }
  connect(address);
  struct GiveUp {
    void now() { connection.close(CloseMode::kNow, CloseReason::of(CloseCode::kConnectFailed)); }
    Connection& connection;
  } give_up{*connection_};
  event::Timer timer(loop_, event::Timer::Callback::to<&GiveUp::now>(&give_up));
  timer.arm(std::chrono::seconds(5));
  settle(loop_);
  EXPECT_FALSE(handler_.connected || connection_->closed());
  clock_.advance(std::chrono::seconds(5));
  EXPECT_TRUE(closedAs(CloseCode::kConnectFailed));
}

TEST_F(ConnectingTest, MayBeClosedAsSoonAsItIsConnected) {
  const Fd listener = listen();
  connect(Address::localOf(listener.get()));
  write("early");
  handler_.at_connected = [&] { close(CloseMode::kNow); };
  EXPECT_TRUE(closedAs(CloseCode::kFilter));
}

// A transport that reads more from its socket than it hands out at once, as TLS does.
class BufferingIo final : public Io {
public:
  explicit BufferingIo(event::Loop& loop)
      : events_(loop, -1, event::FdEvents::Callback::to<&BufferingIo::onReady>(this)) {}
  void setReadyCallback(ReadyCallback callback) override { callback_ = callback; }
  void setRead(event::FdEvents::ReadInterest) override {}
  void setWrite(bool) override {}
  void activate(uint32_t readiness) override { events_.activate(readiness); }
  IoResult open() override { return {IoStatus::kOk}; }
  IoResult read(absl::Span<char> into) override {
    if (left_ == 0) {
      return {IoStatus::kOk};
    }
    into[0] = 'x';
    return {--left_ > 0 ? IoStatus::kMore : IoStatus::kOk, 1};
  }
  IoResult write(absl::Span<const iovec>) override { return {IoStatus::kOk}; }
  void shutdownWrite() override {}
  void close(bool) override {}
  bool peerReset() override { return false; }
  Address localAddress() const override { return {}; }

private:
  void onReady(uint32_t readiness) { callback_(readiness); }
  event::FdEvents events_;
  ReadyCallback callback_;
  int left_ = 3;
};

TEST_F(ConnectionTest, ReadsWhatWaitsAboveTheDescriptor) {
  adopt(std::make_unique<BufferingIo>(loop_), false);
  connection_->io().activate(event::kReadable);
  EXPECT_TRUE(runUntil(loop_, [&] { return handler_.received == "xxx"; }));
}

TEST_F(ConnectionTest, RemembersOverAPauseThatBytesWaitAboveTheDescriptor) {
  adopt(std::make_unique<BufferingIo>(loop_), false);
  handler_.at_data = [&](Buffer&, bool) { connection_->pauseReading(); };
  connection_->io().activate(event::kReadable);
  settle(loop_);
  EXPECT_EQ(handler_.received, "x");
  connection_->resumeReading();
  settle(loop_);
  EXPECT_EQ(handler_.received, "xx");
}

} // namespace
} // namespace culvert::net
