// SPDX-License-Identifier: Apache-2.0
// What a peer sends to a server, from its first byte on. Each stream is answered and echoed; the
// first byte says how the bytes are cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "source/base/check.h"
#include "source/event/simulated_clock.h"
#include "source/hbone/http2_session.h"
#include "source/net/internal_io.h"

namespace culvert::hbone {
namespace {

constexpr size_t kWindowBytes = 64 * 1024;

// Sends back what it gets; a request that asks for it is refused, or dropped.
class Echo final : public net::ConnectionHandler {
public:
  Echo(event::Loop& loop, std::unique_ptr<Http2StreamIo> stream, const Http2Headers& headers)
      : io_(*stream), connection_(loop, std::move(stream), 1, false) {
    connection_.start(*this);
    if (headers.fields.size() % 3 == 2) {
      io_.respondAndEnd(403, {}, "no");
      connection_.close(net::CloseMode::kNow, {});
      return;
    }
    io_.respond(200, {{"server", "fuzz"}});
    connection_.resumeReading();
  }

  size_t unreadBytes() const { return io_.unreadBytes(); }

private:
  void onData(net::Buffer& data, bool end) override { connection_.write(data, end); }
  void onWriteBlocked(bool blocked) override {
    blocked ? connection_.pauseReading() : connection_.resumeReading();
  }
  void onClosed(const net::CloseReason&) override {}

  Http2StreamIo& io_;
  net::Connection connection_;
};

class Server final : public net::ConnectionHandler, public Http2Handler {
public:
  Server(event::Loop& loop, std::unique_ptr<net::Io> io)
      : sink_(loop, std::move(io), 1, false), scope_(store_.root().scope("http2")), stats_(*scope_),
        session_(Http2Role::kServer,
                 {.stream_window_bytes = kWindowBytes,
                  .connection_window_bytes = 4 * kWindowBytes,
                  .more_settings = {{kHttp2MaxFrameSize, 1 << 20}}},
                 sink_, stats_, *this) {
    sink_.start(*this);
    sink_.resumeReading();
  }

  void check() const {
    size_t unread = 0;
    for (const auto& stream : streams_) {
      unread += stream->unreadBytes();
    }
    CULVERT_CHECK(unread <= 6 * kWindowBytes);
  }

private:
  void onData(net::Buffer& data, bool end) override {
    session_.take(data);
    if (end) {
      session_.onSinkClosed();
    }
  }
  void onWriteBlocked(bool blocked) override { session_.onSinkBlocked(blocked); }
  void onClosed(const net::CloseReason&) override { session_.onSinkClosed(); }
  void onRequest(std::unique_ptr<Http2StreamIo> stream, Http2Headers headers) override {
    streams_.push_back(std::make_unique<Echo>(sink_.loop(), std::move(stream), headers));
  }
  void onSessionEnd(Http2End) override {
    sink_.close(net::CloseMode::kFlush, net::CloseReason::of(net::CloseCode::kShutdown));
  }

  net::Connection sink_;
  stats::Store store_{1, {}};
  std::unique_ptr<stats::Scope> scope_;
  Http2Stats stats_;
  Http2Session session_;
  std::vector<std::unique_ptr<Echo>> streams_;
};

void feed(const uint8_t* data, size_t size) {
  const size_t step = data[0] == 0 ? size : data[0];
  event::SimulatedClock clock;
  event::Loop loop("fuzz", clock);
  auto [ours, theirs] = net::InternalIo::makePair(loop, 64 * 1024, {}, {});
  ours->open();
  Server server(loop, std::move(theirs));
  for (size_t at = 1; at < size; at += step) {
    const iovec piece = {const_cast<uint8_t*>(data + at), std::min(step, size - at)};
    ours->write({&piece, 1});
    loop.runOnce(false);
    char drained[4096];
    ours->read(absl::MakeSpan(drained));
    server.check();
  }
  for (int turn = 0; turn < 10; turn++) {
    loop.runOnce(false);
  }
}

} // namespace
} // namespace culvert::hbone

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0) {
    culvert::hbone::feed(data, size);
  }
  return 0;
}
