// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "source/base/check.h"
#include "source/event/simulated_clock.h"
#include "source/hbone/http2_session.h"
#include "source/net/internal_io.h"

namespace culvert::hbone {

// One stream as a connection, with what was heard of it. Threads: the test's, as for all here.
class TestStream final : public net::ConnectionHandler {
public:
  TestStream(event::Loop& loop, std::unique_ptr<Http2StreamIo> stream, bool opening)
      : io(*stream), connection(loop, std::move(stream), 1, opening) {
    connection.start(*this);
  }

  void onConnected() override { connected = true; }
  void onData(net::Buffer& data, bool end) override {
    received += data.toString();
    ended |= end;
    data.clear();
  }
  void onWriteBlocked(bool is_blocked) override { blocked = is_blocked; }
  void onClosed(const net::CloseReason& reason) override { closed = reason.code; }

  void read() { connection.resumeReading(); }
  void write(absl::string_view bytes, bool end = false) {
    net::Buffer data = net::Buffer::borrow(bytes);
    connection.write(data, end);
  }
  void close(net::CloseMode mode) {
    connection.close(mode, net::CloseReason::of(net::CloseCode::kShutdown));
  }

  Http2StreamIo& io;
  net::Connection connection;
  std::string received;
  bool connected = false;
  bool ended = false;
  bool blocked = false;
  std::optional<net::CloseCode> closed;
};

// One end of an HTTP/2 connection, with what was heard of it. Threads: one.
class TestEnd final : public net::ConnectionHandler, public Http2Handler {
public:
  TestEnd(event::Loop& loop, std::unique_ptr<net::Io> io, Http2Role role,
          const Http2Options& options)
      : opening(role == Http2Role::kClient), sink(loop, std::move(io), 1, opening),
        scope(store.root().scope("http2")), stats(*scope),
        session(std::make_unique<Http2Session>(role, options, sink, stats, *this)) {
    sink.start(*this);
    if (!opening) {
      sink.resumeReading();
    }
  }

  void onConnected() override { sink.resumeReading(); }
  void onData(net::Buffer& data, bool end) override {
    session->take(data);
    if (end) {
      session->onSinkClosed();
    }
  }
  void onWriteBlocked(bool blocked) override { session->onSinkBlocked(blocked); }
  void onClosed(const net::CloseReason&) override { session->onSinkClosed(); }

  void onRequest(std::unique_ptr<Http2StreamIo> stream, Http2Headers headers) override {
    requests.push_back(std::move(headers));
    streams.push_back(std::make_unique<TestStream>(sink.loop(), std::move(stream), false));
  }
  void onRoom() override { room_changes++; }
  void onSessionEnd(Http2End why) override { end = why; }

  // A client's new stream.
  TestStream& open(const Http2Fields& fields) {
    auto stream = session->openStream(fields);
    CULVERT_CHECK(stream != nullptr);
    streams.push_back(std::make_unique<TestStream>(sink.loop(), std::move(stream), true));
    return *streams.back();
  }

  const bool opening;
  net::Connection sink;
  stats::Store store{1, {}};
  std::unique_ptr<stats::Scope> scope;
  Http2Stats stats;
  std::unique_ptr<Http2Session> session;
  std::vector<Http2Headers> requests;
  std::vector<std::unique_ptr<TestStream>> streams;
  int room_changes = 0;
  std::optional<Http2End> end;
};

// Both ends, wired together. Threads: one.
class Http2Fixture : public testing::Test {
protected:
  Http2Fixture() { connect({}, {}); }

  void connect(const Http2Options& of_client, const Http2Options& of_server) {
    auto [connects, accepted] = net::InternalIo::makePair(loop, 256 * 1024, {}, {});
    client = std::make_unique<TestEnd>(loop, std::move(connects), Http2Role::kClient, of_client);
    server = std::make_unique<TestEnd>(loop, std::move(accepted), Http2Role::kServer, of_server);
    turn();
  }
  void turn() {
    for (int i = 0; i < 500; i++) {
      loop.runOnce(false);
    }
  }
  void advance(base::Duration by) {
    clock.advance(by);
    turn();
  }

  TestStream& request(const std::string& authority = "10.0.0.1:80") {
    return client->open({{":method", "CONNECT"}, {":authority", authority}});
  }
  // A stream that the server has accepted; its ends are the last of either's.
  TestStream& tunnel() {
    TestStream& stream = request();
    turn();
    theirs().io.respond(200, {});
    turn();
    EXPECT_TRUE(stream.connected);
    stream.read();
    return stream;
  }
  TestStream& theirs() { return *server->streams.back(); }

  event::SimulatedClock clock;
  event::Loop loop{"test", clock};
  std::unique_ptr<TestEnd> client;
  std::unique_ptr<TestEnd> server;
};

} // namespace culvert::hbone
