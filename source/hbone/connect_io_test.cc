// SPDX-License-Identifier: Apache-2.0
#include "source/hbone/connect_io.h"

#include "source/hbone/http2_fixture.h"

namespace culvert::hbone {
namespace {

// The server's end of a request, as a connection that is the answer.
class Accepted final : public net::ConnectionHandler {
public:
  Accepted(event::Loop& loop, std::unique_ptr<Http2StreamIo> stream,
           std::shared_ptr<net::ConnectAnswer> answer)
      : connection(loop, std::make_unique<ConnectIo>(std::move(stream), std::move(answer)), 1,
                   false) {
    connection.start(*this);
  }
  void onConnected() override {}
  void onData(net::Buffer& data, bool) override {
    received += data.toString();
    data.clear();
  }
  void onWriteBlocked(bool) override {}
  void onClosed(const net::CloseReason&) override {}

  net::Connection connection;
  std::string received;
};

// Makes a connection of each request.
class Acceptor final : public Http2Handler, public net::ConnectionHandler {
public:
  Acceptor(event::Loop& loop, std::unique_ptr<net::Io> io)
      : sink(loop, std::move(io), 1, false), scope(store.root().scope("http2")), stats(*scope),
        session(Http2Role::kServer, {}, sink, stats, *this) {
    sink.start(*this);
    sink.resumeReading();
  }
  void onRequest(std::unique_ptr<Http2StreamIo> stream, Http2Headers) override {
    accepted = std::make_unique<Accepted>(sink.loop(), std::move(stream), answer);
  }
  void onSessionEnd(Http2End) override {}
  void onConnected() override {}
  void onData(net::Buffer& data, bool) override { session.take(data); }
  void onWriteBlocked(bool blocked) override { session.onSinkBlocked(blocked); }
  void onClosed(const net::CloseReason&) override { session.onSinkClosed(); }

  net::Connection sink;
  stats::Store store{1, {}};
  std::unique_ptr<stats::Scope> scope;
  Http2Stats stats;
  Http2Session session;
  std::shared_ptr<net::ConnectAnswer> answer = std::make_shared<net::ConnectAnswer>();
  std::unique_ptr<Accepted> accepted;
};

class ConnectIoTest : public Http2Fixture {
protected:
  ConnectIoTest() {
    auto [connects, accepted] = net::InternalIo::makePair(loop, 256 * 1024, {}, {});
    client =
        std::make_unique<TestEnd>(loop, std::move(connects), Http2Role::kClient, Http2Options());
    acceptor = std::make_unique<Acceptor>(loop, std::move(accepted));
    turn();
    stream = &request();
    turn();
  }
  net::Connection& behind() { return acceptor->accepted->connection; }
  uint32_t status() {
    turn();
    return stream->io.response() == nullptr ? 0 : stream->io.response()->status;
  }

  std::unique_ptr<Acceptor> acceptor;
  TestStream* stream = nullptr;
};

TEST_F(ConnectIoTest, WaitsUntilSomebodyReads) {
  behind().watchPeer();
  EXPECT_EQ(status(), 0u);
  behind().resumeReading();
  EXPECT_EQ(status(), 200u);
  stream->write("hello");
  turn();
  EXPECT_EQ(acceptor->accepted->received, "hello");
}

TEST_F(ConnectIoTest, WhatIsWrittenAcceptsToo) {
  acceptor->answer->accept_headers = {{"baggage", "k8s.namespace.name=shop"}};
  net::Buffer data = net::Buffer::borrow("welcome");
  behind().write(data, false);
  EXPECT_EQ(status(), 200u);
  EXPECT_EQ(*stream->io.response()->find("baggage"), "k8s.namespace.name=shop");
  stream->read();
  turn();
  EXPECT_EQ(stream->received, "welcome");
}

TEST_F(ConnectIoTest, ClosingBeforeRefuses) {
  behind().close(net::CloseMode::kNow, net::CloseReason::of(net::CloseCode::kConnectFailed));
  EXPECT_EQ(status(), 503u);
  EXPECT_EQ(stream->closed, net::CloseCode::kTransportFailure);
}

TEST_F(ConnectIoTest, ResettingBeforeRefusesAsTold) {
  acceptor->answer->refusal = 401;
  behind().close(net::CloseMode::kReset, net::CloseReason::of(net::CloseCode::kUpstreamReset));
  EXPECT_EQ(status(), 401u);
}

TEST_F(ConnectIoTest, AResetLaterIsOne) {
  behind().resumeReading();
  EXPECT_EQ(status(), 200u);
  stream->read();
  behind().close(net::CloseMode::kReset, net::CloseReason::of(net::CloseCode::kUpstreamReset));
  turn();
  EXPECT_EQ(stream->closed, net::CloseCode::kPeerReset);
  EXPECT_NE(stream->io.resetCode(), 0u);
}

TEST_F(ConnectIoTest, APeerThatLeavesIsNoticedBefore) {
  behind().watchPeer();
  stream->close(net::CloseMode::kReset);
  turn();
  EXPECT_TRUE(behind().closed());
}

} // namespace
} // namespace culvert::hbone
