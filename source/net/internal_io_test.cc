// SPDX-License-Identifier: Apache-2.0
#include "source/net/internal_io.h"

#include <gtest/gtest.h>

#include <vector>

#include "source/event/simulated_clock.h"
#include "source/net/internal_listeners.h"
#include "test/kit/peer.h"

namespace culvert::net {
namespace {

using event::FdEvents;

// One end, with what was reported to it.
class End {
public:
  explicit End(std::unique_ptr<InternalIo> io) : io_(std::move(io)) {
    io_->setReadyCallback(Io::ReadyCallback::to<&End::onReady>(this));
  }

  InternalIo* operator->() { return io_.get(); }
  void destroy() { io_.reset(); }

  size_t write(absl::string_view bytes) {
    const iovec piece = {const_cast<char*>(bytes.data()), bytes.size()};
    return io_->write({&piece, 1}).bytes;
  }
  std::string read(size_t bytes = 64) {
    std::string into(bytes, '\0');
    into.resize(io_->read(absl::MakeSpan(into)).bytes);
    return into;
  }
  IoStatus status() {
    char byte;
    return io_->read({&byte, 1}).status;
  }
  // What was reported since the last time.
  uint32_t reported() { return std::exchange(reported_, 0); }

private:
  void onReady(uint32_t readiness) { reported_ |= readiness; }

  std::unique_ptr<InternalIo> io_;
  uint32_t reported_ = 0;
};

// Two opened ends with room for eight bytes each way; `theirs` reads.
class InternalIoTest : public testing::Test {
protected:
  InternalIoTest() {
    EXPECT_EQ(ours_->open().status, IoStatus::kOk);
    theirs_->setRead(FdEvents::ReadInterest::kData);
  }

  void turn() { test::settle(loop_); }

  event::SimulatedClock clock_;
  event::Loop loop_{"test", clock_};
  InternalIo::Pair pair_ = InternalIo::makePair(loop_, 8, {}, {});
  End ours_{std::move(pair_.first)};
  End theirs_{std::move(pair_.second)};
};

TEST_F(InternalIoTest, WhatOneWritesTheOtherReads) {
  EXPECT_EQ(ours_.write("abc"), 3u);
  turn();
  EXPECT_EQ(theirs_.reported(), event::kReadable);
  EXPECT_EQ(theirs_.read(2), "ab");
  turn();
  EXPECT_EQ(theirs_.reported(), event::kReadable) << "some is left";
  EXPECT_EQ(theirs_.read(), "c");
  EXPECT_EQ(theirs_.status(), IoStatus::kOk);
  turn();
  EXPECT_EQ(theirs_.reported(), 0u);
}

TEST_F(InternalIoTest, TakenBytesMakeRoomToo) {
  EXPECT_EQ(ours_.write("12345678"), 8u);
  EXPECT_EQ(ours_.write("9"), 0u);
  char scratch[6];
  Buffer data;
  EXPECT_EQ(theirs_->take(absl::MakeSpan(scratch), data).bytes, 6u); // The chunk is longer.
  EXPECT_EQ(data.toString(), "123456");
  EXPECT_EQ(theirs_->take(absl::MakeSpan(scratch), data).bytes, 2u);
  EXPECT_EQ(data.toString(), "78");
  EXPECT_EQ(theirs_->take(absl::MakeSpan(scratch), data).bytes, 0u);
  EXPECT_EQ(ours_.write("9"), 1u);
}

TEST_F(InternalIoTest, PeekedBytesStay) {
  ours_.write("abc");
  char bytes[2];
  EXPECT_EQ(theirs_->peek(absl::MakeSpan(bytes)).bytes, 2u);
  EXPECT_EQ(std::string(bytes, 2), "ab");
  EXPECT_EQ(theirs_.read(), "abc");
}

TEST_F(InternalIoTest, WriterWaitsUntilHalfIsTaken) {
  EXPECT_EQ(ours_.write("0123456789"), 8u);
  EXPECT_EQ(ours_.write("89"), 0u);
  ours_->setWrite(true);
  theirs_.read(3);
  turn();
  EXPECT_EQ(ours_.reported(), 0u);
  theirs_.read(1);
  turn();
  EXPECT_EQ(ours_.reported(), event::kWritable);
}

TEST_F(InternalIoTest, EndComesBehindTheBytes) {
  ours_.write("abc");
  ours_->shutdownWrite();
  EXPECT_TRUE(theirs_->peerEnded());
  EXPECT_EQ(theirs_.read(), "abc");
  turn();
  EXPECT_EQ(theirs_.reported(), event::kReadable);
  EXPECT_EQ(theirs_.status(), IoStatus::kEnd);
  EXPECT_EQ(theirs_.write("the other way"), 8u);
}

TEST_F(InternalIoTest, CloseIsAnEndToo) {
  ours_.write("abc");
  ours_.destroy();
  EXPECT_EQ(theirs_.read(), "abc");
  EXPECT_EQ(theirs_.status(), IoStatus::kEnd);
  EXPECT_FALSE(theirs_->peerReset());
}

TEST_F(InternalIoTest, CloseWithUnreadBytesResets) {
  theirs_.write("abc");
  ours_.destroy();
  EXPECT_TRUE(theirs_->peerReset());
  EXPECT_EQ(theirs_.status(), IoStatus::kReset);
  EXPECT_EQ(theirs_->write({}).status, IoStatus::kReset);
}

TEST_F(InternalIoTest, PeerInterestHearsOfEachChangeOnce) {
  theirs_->setRead(FdEvents::ReadInterest::kPeer);
  ours_.write("a");
  turn();
  EXPECT_EQ(theirs_.reported(), event::kPeerChanged);
  turn();
  EXPECT_EQ(theirs_.reported(), 0u);
  ours_->close(/*reset=*/true);
  turn();
  EXPECT_EQ(theirs_.reported(), event::kPeerChanged);
  EXPECT_TRUE(theirs_->peerReset());
}

// Takes what arrives at the listener "inner".
class InternalListenersTest : public testing::Test {
protected:
  void listen() {
    acceptor_ = std::make_unique<InternalAcceptor>(
        loop_, "inner", 8, InternalAcceptor::Callback::to<&InternalListenersTest::onArrival>(this));
  }
  absl::StatusOr<std::unique_ptr<Io>> connect(absl::string_view listener) {
    HostDescription host;
    host.address = Address::internal(listener, "10.0.0.1:80");
    host.endpoint_id = "10.0.0.1:80";
    return connectInternal(loop_, host, nullptr);
  }

  event::SimulatedClock clock_;
  event::Loop loop_{"test", clock_};
  std::unique_ptr<InternalAcceptor> acceptor_;
  std::vector<InternalAcceptor::Arrival> arrived_;

private:
  void onArrival(InternalAcceptor::Arrival arrival) { arrived_.push_back(std::move(arrival)); }
};

TEST_F(InternalListenersTest, ConnectionsArriveInALaterTurn) {
  listen();
  const auto io = connect("inner");
  ASSERT_TRUE(io.ok()) << io.status();
  EXPECT_EQ((*io)->localAddress().toString(), "envoy://internal_client_address/");
  EXPECT_TRUE(arrived_.empty());
  test::settle(loop_);
  ASSERT_EQ(arrived_.size(), 1u);
  EXPECT_EQ(arrived_[0].local.toString(), "envoy://inner/10.0.0.1:80");
  EXPECT_EQ((*io)->open().status, IoStatus::kOk);
}

TEST_F(InternalListenersTest, NobodyListensToThatName) {
  listen();
  EXPECT_EQ(connect("outer").status().message(),
            "immediate connect error: Invalid argument|remote address:envoy://outer/10.0.0.1:80");
  acceptor_.reset();
  EXPECT_FALSE(connect("inner").ok());
}

TEST_F(InternalListenersTest, ListenerThatGoesTakesThoseThatAreConnected) {
  listen();
  const auto io = connect("inner");
  acceptor_.reset();
  ASSERT_EQ(arrived_.size(), 1u);
  EXPECT_EQ((*io)->open().status, IoStatus::kOk);
}

TEST_F(InternalListenersTest, ConnectionThatIsNotTakenFails) {
  listen();
  const auto io = connect("inner");
  acceptor_.reset();
  arrived_.clear();
  EXPECT_EQ((*io)->open().status, IoStatus::kReset);
  EXPECT_EQ((*io)->failureReason(), "delayed connect error: Invalid argument");
}

} // namespace
} // namespace culvert::net
