// SPDX-License-Identifier: Apache-2.0
#include "source/hbone/http2_session.h"

#include "source/hbone/http2_fixture.h"

namespace culvert::hbone {
namespace {

using net::CloseCode;
using net::CloseMode;

class Http2SessionTest : public Http2Fixture {};

TEST_F(Http2SessionTest, ARequestArrivesWithItsHeaders) {
  client->open({{":method", "CONNECT"}, {":authority", "a:1"}, {"baggage", "k=v"}});
  turn();
  ASSERT_EQ(server->requests.size(), 1u);
  EXPECT_EQ(*server->requests[0].find(":authority"), "a:1");
  EXPECT_EQ(*server->requests[0].find("baggage"), "k=v");
  EXPECT_EQ(server->requests[0].find("other"), nullptr);
  EXPECT_EQ(server->stats.streams_active.value(), 1u);
}

TEST_F(Http2SessionTest, AStreamIsOpenOnceItIsAnswered) {
  TestStream& ours = request();
  turn();
  EXPECT_FALSE(ours.connected);
  theirs().io.respond(200, {{"server", "test"}});
  turn();
  EXPECT_TRUE(ours.connected);
  EXPECT_EQ(*ours.io.response()->find("server"), "test");
}

TEST_F(Http2SessionTest, BytesGoBothWaysAndEndApart) {
  TestStream& ours = tunnel();
  theirs().read();
  ours.write("question", true);
  turn();
  EXPECT_EQ(theirs().received, "question");
  EXPECT_TRUE(theirs().ended);
  EXPECT_FALSE(theirs().closed.has_value());
  theirs().write("answer", true);
  turn();
  EXPECT_EQ(ours.received, "answer");
  EXPECT_EQ(ours.closed, CloseCode::kPeerClosed);
  EXPECT_EQ(theirs().closed, CloseCode::kPeerClosed);
  EXPECT_EQ(client->session->streams(), 0u);
  EXPECT_EQ(server->session->streams(), 0u);
  EXPECT_EQ(server->stats.tx_reset.value() + client->stats.tx_reset.value(), 0u);
}

TEST_F(Http2SessionTest, WhatIsWrittenBeforeTheAnswerWaits) {
  TestStream& ours = request();
  turn();
  theirs().write("early");
  turn();
  EXPECT_FALSE(ours.connected);
  theirs().io.respond(200, {});
  turn();
  ours.read();
  turn();
  EXPECT_EQ(ours.received, "early");
}

TEST_F(Http2SessionTest, ARefusalFailsTheStream) {
  TestStream& ours = request();
  turn();
  theirs().io.respondAndEnd(503, {{"content-length", "4"}}, "sad\n");
  theirs().close(CloseMode::kNow);
  turn();
  EXPECT_EQ(ours.closed, CloseCode::kTransportFailure);
  EXPECT_EQ(ours.io.response()->status, 503u);
  EXPECT_EQ(ours.io.failureReason(), "the peer answered 503");
  EXPECT_EQ(server->session->streams(), 0u);
}

TEST_F(Http2SessionTest, AnAnswerOutlivesItsStream) {
  std::string body(100'000, 'b');
  TestStream& ours = request();
  turn();
  theirs().io.respondAndEnd(200, {}, body);
  theirs().close(CloseMode::kNow);
  turn();
  ours.read();
  turn();
  EXPECT_EQ(ours.received, body);
  EXPECT_TRUE(ours.ended);
  EXPECT_EQ(server->session->streams(), 0u);
}

TEST_F(Http2SessionTest, ADroppedRequestIsReset) {
  TestStream& ours = request();
  turn();
  server->streams.clear();
  turn();
  EXPECT_EQ(ours.closed, CloseCode::kTransportFailure);
  EXPECT_EQ(server->stats.tx_reset.value(), 1u);
  EXPECT_EQ(client->stats.rx_reset.value(), 1u);
}

TEST_F(Http2SessionTest, AResetStaysAReset) {
  TestStream& ours = tunnel();
  theirs().read();
  ours.close(CloseMode::kReset);
  turn();
  EXPECT_EQ(theirs().closed, CloseCode::kPeerReset);

  TestStream& other = tunnel();
  theirs().close(CloseMode::kReset);
  turn();
  EXPECT_EQ(other.closed, CloseCode::kPeerReset);
  EXPECT_EQ(other.io.failureReason(), "stream reset: CONNECT_ERROR");
}

TEST_F(Http2SessionTest, ClosingWithUnreadBytesResets) {
  TestStream& ours = tunnel();
  ours.write("unread");
  turn();
  EXPECT_EQ(theirs().io.unreadBytes(), 6u);
  theirs().close(CloseMode::kNow);
  turn();
  EXPECT_EQ(ours.closed, CloseCode::kPeerReset);
}

TEST_F(Http2SessionTest, WhatWasWrittenBeforeACloseArrives) {
  TestStream& ours = tunnel();
  const std::string much(200'000, 'x');
  theirs().read();
  theirs().write(much);
  theirs().close(CloseMode::kFlush);
  turn();
  EXPECT_EQ(ours.received, much);
  EXPECT_TRUE(ours.ended);
  EXPECT_EQ(client->session->streams(), 0u) << "it was told that nobody listens";
}

TEST_F(Http2SessionTest, AReaderThatPausesStopsItsWriterOnly) {
  Http2Options small;
  small.stream_window_bytes = 1000;
  connect({}, small);
  TestStream& stalled = tunnel();
  TestStream& stalled_peer = theirs();
  stalled.write(std::string(1500, 's'));
  turn();
  EXPECT_TRUE(stalled.blocked);
  EXPECT_EQ(stalled_peer.io.unreadBytes(), 1000u);

  TestStream& other = tunnel();
  theirs().read();
  other.write(std::string(5000, 'o'), true);
  turn();
  EXPECT_EQ(theirs().received.size(), 5000u);

  stalled_peer.read();
  turn();
  EXPECT_EQ(stalled_peer.received.size(), 1500u);
  EXPECT_FALSE(stalled.blocked);
}

TEST_F(Http2SessionTest, AllStreamsTogetherAreBoundedByTheConnectionsWindow) {
  Http2Options options;
  options.stream_window_bytes = 100'000;
  options.connection_window_bytes = 200'000;
  connect({}, options);
  size_t waits = 0;
  for (int i = 0; i < 10; i++) {
    tunnel().write(std::string(100'000, 'x'));
    turn();
  }
  for (const auto& stream : server->streams) {
    waits += stream->io.unreadBytes();
  }
  EXPECT_LE(waits, 300'000u);
  for (const auto& stream : server->streams) {
    stream->read();
  }
  turn();
  for (const auto& stream : server->streams) {
    EXPECT_EQ(stream->received.size(), 100'000u);
  }
}

TEST_F(Http2SessionTest, ASinkThatIsFullStopsItsWriters) {
  TestStream& ours = tunnel();
  theirs().read();
  server->sink.pauseReading();
  const std::string much(4 * 1024 * 1024, 'm');
  ours.write(much);
  turn();
  EXPECT_TRUE(ours.blocked);
  EXPECT_LT(client->sink.unsentBytes(), 200u * 1024);
  server->sink.resumeReading();
  turn();
  EXPECT_EQ(theirs().received.size(), much.size());
  EXPECT_FALSE(ours.blocked);
}

TEST_F(Http2SessionTest, AllWritersGoOnWhenTheSinkHasRoomAgain) {
  const std::string data(1'000'000, 'x');
  std::vector<TestStream*> readers;
  std::vector<TestStream*> writers;
  for (int i = 0; i < 8; i++) {
    writers.push_back(&tunnel());
    readers.push_back(&theirs());
  }
  for (TestStream* const writer : writers) {
    writer->write(data);
  }
  for (TestStream* const reader : readers) {
    reader->read();
  }
  turn();
  for (TestStream* const reader : readers) {
    EXPECT_EQ(reader->received.size(), data.size());
  }
}

TEST_F(Http2SessionTest, ThePeerSaysHowManyStreamsThereMayBe) {
  Http2Options two;
  two.max_concurrent_streams = 2;
  connect({}, two);
  EXPECT_TRUE(client->session->heardSettings());
  EXPECT_EQ(client->session->room(), 2u);
  TestStream& first = tunnel();
  tunnel();
  EXPECT_EQ(client->session->room(), 0u);
  EXPECT_EQ(client->session->openStream({{":method", "CONNECT"}, {":authority", "a"}}), nullptr);
  const int changes = client->room_changes;
  first.close(CloseMode::kNow);
  turn();
  EXPECT_EQ(client->session->room(), 1u);
  EXPECT_GT(client->room_changes, changes);
}

TEST_F(Http2SessionTest, AfterGoodbyeOldStreamsGoOn) {
  TestStream& ours = tunnel();
  theirs().read();
  server->session->announceGoodbye();
  turn();
  EXPECT_TRUE(client->session->goodbye());
  EXPECT_EQ(client->session->room(), 0u);
  server->session->sayGoodbye();
  turn();
  EXPECT_FALSE(server->end.has_value());
  ours.write("still here", true);
  turn();
  EXPECT_EQ(theirs().received, "still here");
  theirs().write("bye", true);
  turn();
  EXPECT_EQ(ours.received, "bye");
  EXPECT_EQ(server->end, Http2End::kDone);
  EXPECT_EQ(client->end, Http2End::kDone);
}

TEST_F(Http2SessionTest, StreamsEndWithTheirSink) {
  TestStream& ours = tunnel();
  TestStream& opening = request();
  server->sink.close(CloseMode::kNow, net::CloseReason::of(CloseCode::kShutdown));
  turn();
  EXPECT_EQ(ours.closed, CloseCode::kPeerReset);
  EXPECT_EQ(opening.closed, CloseCode::kTransportFailure);
  EXPECT_EQ(client->end, Http2End::kGone);
}

TEST_F(Http2SessionTest, StreamsMayOutliveTheirSession) {
  TestStream& ours = tunnel();
  client->session->onSinkClosed();
  client->session.reset();
  ours.write("nobody");
  EXPECT_EQ(ours.io.localAddress(), net::Address());
}

TEST_F(Http2SessionTest, APingThatIsNotAnsweredEndsIt) {
  Http2Options options;
  options.keepalive_interval = std::chrono::seconds(10);
  options.keepalive_timeout = std::chrono::seconds(2);
  connect({}, options);
  advance(std::chrono::seconds(10));
  advance(std::chrono::seconds(2));
  EXPECT_FALSE(server->end.has_value()) << "it was answered";
  client->sink.pauseReading();
  advance(std::chrono::seconds(10));
  advance(std::chrono::seconds(2));
  EXPECT_EQ(server->end, Http2End::kKeepalive);
  EXPECT_EQ(server->stats.keepalive_timeout.value(), 1u);
}

TEST_F(Http2SessionTest, LongHeadersAreRefused) {
  TestStream& ours = client->open({{":method", "CONNECT"},
                                   {":authority", "a"},
                                   {"x", std::string(50'000, 'x')},
                                   {"y", std::string(12'000, 'y')}});
  turn();
  EXPECT_EQ(ours.closed, CloseCode::kTransportFailure);
  EXPECT_EQ(server->stats.header_overflow.value(), 1u);
  EXPECT_TRUE(server->requests.empty());
}

TEST_F(Http2SessionTest, AStreamThatIsGivenUpBeforeItWasSentIsNeverSeen) {
  request();
  client->streams.clear();
  turn();
  EXPECT_TRUE(server->requests.empty());
  EXPECT_EQ(client->session->streams(), 0u);
  EXPECT_EQ(client->stats.streams_active.value(), 0u);
}

} // namespace
} // namespace culvert::hbone
