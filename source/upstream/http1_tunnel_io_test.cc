// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/http1_tunnel_io.h"

#include <gtest/gtest.h>

#include "test/fakes/fake_io.h"

namespace culvert::upstream {
namespace {

using net::IoStatus;

class Http1TunnelIoTest : public testing::Test {
protected:
  IoStatus answer(std::string bytes) {
    peer.to_send += bytes;
    return tunnel.open().status;
  }
  std::string read() {
    char some[64];
    const net::IoResult result = tunnel.read(absl::MakeSpan(some));
    last = result.status;
    return std::string(some, result.bytes);
  }

  test::FakeIo::Peer peer;
  Http1TunnelIo tunnel{std::make_unique<test::FakeIo>(peer), {"h:1", "", {{"a", "b"}}}};
  IoStatus last = IoStatus::kOk;
};

TEST_F(Http1TunnelIoTest, AsksAndWaits) {
  EXPECT_EQ(answer(""), IoStatus::kMore);
  EXPECT_EQ(peer.received, "CONNECT h:1 HTTP/1.1\r\nhost: h:1\r\na: b\r\n\r\n");
  EXPECT_EQ(answer("HTTP/1.1 2"), IoStatus::kMore);
  EXPECT_EQ(answer("00 OK\r\nx: y\r\n\r"), IoStatus::kMore);
  EXPECT_EQ(answer("\n"), IoStatus::kOk);
  EXPECT_EQ(tunnel.answer()->at(1), (std::pair<std::string, std::string>("x", "y")));
}

TEST_F(Http1TunnelIoTest, ARequestThatDoesNotFitGoesOnLater) {
  peer.window_bytes = 10;
  EXPECT_EQ(answer(""), IoStatus::kMore);
  EXPECT_EQ(peer.received, "CONNECT h:");
  peer.window_bytes = 1000;
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\n\r\n"), IoStatus::kOk);
  EXPECT_EQ(peer.received, "CONNECT h:1 HTTP/1.1\r\nhost: h:1\r\na: b\r\n\r\n");
}

TEST_F(Http1TunnelIoTest, BytesBehindTheAnswerAreTheTunnels) {
  EXPECT_EQ(answer("HTTP/1.1 200\r\n\r\nhello"), IoStatus::kOk);
  EXPECT_EQ(tunnel.plainFd(), -1);
  EXPECT_EQ(read(), "hello");
  EXPECT_EQ(last, IoStatus::kMore);
  peer.to_send = "more";
  EXPECT_EQ(read(), "more");
}

TEST_F(Http1TunnelIoTest, RefusalsSayWhich) {
  EXPECT_EQ(answer("HTTP/1.1 100 Go\r\n\r\nHTTP/1.0 407 No\r\n\r\n"), IoStatus::kReset);
  EXPECT_EQ(tunnel.failureReason(), "tunnel_response:407");
}

TEST_F(Http1TunnelIoTest, WhatIsNoAnswerFails) {
  for (const char* const bytes :
       {"nonsense\r\n\r\n", "HTTP/1.1 600 X\r\n\r\n", "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 2000\r\n\r\n", "HTTP/1.1 200 OK\r\nnocolon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n", "\r\n\r\n"}) {
    test::FakeIo::Peer other;
    Http1TunnelIo asks(std::make_unique<test::FakeIo>(other), {"h:1", "", {}});
    other.to_send = bytes;
    EXPECT_EQ(asks.open().status, IoStatus::kReset) << bytes;
    EXPECT_EQ(asks.failureReason(), "") << bytes;
  }
}

TEST_F(Http1TunnelIoTest, AnAnswerWithoutEndFails) {
  EXPECT_EQ(answer(std::string(Http1TunnelIo::kAnswerBytesMax, 'x')), IoStatus::kMore);
  EXPECT_EQ(answer("x"), IoStatus::kReset);
}

TEST_F(Http1TunnelIoTest, AnEndBeforeTheAnswerFails) {
  peer.send_end = true;
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\n"), IoStatus::kReset);
}

TEST_F(Http1TunnelIoTest, OurEndEndsBothDirections) {
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\n\r\n"), IoStatus::kOk);
  tunnel.shutdownWrite();
  EXPECT_TRUE(peer.got_end);
  EXPECT_EQ(read(), "");
  EXPECT_EQ(last, IoStatus::kEnd);
}

} // namespace
} // namespace culvert::upstream
