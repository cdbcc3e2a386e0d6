// SPDX-License-Identifier: Apache-2.0
// What a server does about peers that break the rules of HTTP/2.
#include "absl/strings/str_cat.h"
#include "source/hbone/http2_fixture.h"
#include "test/kit/peer.h"

namespace culvert::hbone {
namespace {

// Kinds of frames (RFC 9113, section 6).
constexpr uint8_t kData = 0, kHeaders = 1, kPriority = 2, kReset = 3, kSettings = 4, kPing = 6,
                  kWindowUpdate = 8;
constexpr uint8_t kEndHeaders = 4;

std::string frame(uint8_t kind, uint8_t flags, uint32_t stream, absl::string_view payload) {
  const auto byte = [](uint64_t value, int shift) { return static_cast<char>(value >> shift); };
  std::string out = {byte(payload.size(), 16), byte(payload.size(), 8), byte(payload.size(), 0),
                     static_cast<char>(kind), static_cast<char>(flags)};
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(byte(stream, shift));
  }
  return absl::StrCat(out, payload);
}

std::string field(absl::string_view name, absl::string_view value) {
  return absl::StrCat(std::string(1, '\0'), std::string(1, static_cast<char>(name.size())), name,
                      std::string(1, static_cast<char>(value.size())), value);
}

std::string request(uint32_t stream, absl::string_view more = "") {
  return frame(kHeaders, kEndHeaders, stream,
               absl::StrCat(field(":method", "CONNECT"), field(":authority", "a"), more));
}

// A server, and what the test says to it.
class Http2HostileTest : public testing::Test {
protected:
  Http2HostileTest() { serve({}); }

  void serve(const Http2Options& options) {
    auto [connects, accepted] = net::InternalIo::makePair(loop_, 64 * 1024, {}, {});
    peer_ = std::move(connects);
    peer_->open();
    server_ = std::make_unique<TestEnd>(loop_, std::move(accepted), Http2Role::kServer, options);
    say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(kSettings, 0, 0, ""));
  }

  void say(absl::string_view bytes) {
    while (!bytes.empty()) {
      const iovec piece = {const_cast<char*>(bytes.data()), bytes.size()};
      bytes.remove_prefix(peer_->write({&piece, 1}).bytes);
      test::settle(loop_);
    }
  }
  // Takes what the server has said.
  void listen() {
    std::string into(64 * 1024, '\0');
    while (peer_->read(absl::MakeSpan(into)).bytes > 0) {
      test::settle(loop_);
    }
  }

  event::SimulatedClock clock_;
  event::Loop loop_{"test", clock_};
  std::unique_ptr<net::InternalIo> peer_;
  std::unique_ptr<TestEnd> server_;
};

TEST_F(Http2HostileTest, WhoSpeaksSomethingElseIsToldOff) {
  auto [connects, accepted] = net::InternalIo::makePair(loop_, 1024, {}, {});
  peer_ = std::move(connects);
  peer_->open();
  server_ =
      std::make_unique<TestEnd>(loop_, std::move(accepted), Http2Role::kServer, Http2Options());
  say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(server_->end, Http2End::kProtocol);
}

TEST_F(Http2HostileTest, FramesWithoutContentAreBounded) {
  say(request(1));
  say(frame(kData, 0, 1, ""));
  EXPECT_FALSE(server_->end.has_value());
  say(frame(kData, 0, 1, ""));
  EXPECT_EQ(server_->end, Http2End::kFlood);
  EXPECT_EQ(server_->stats.inbound_empty_frames_flood.value(), 1u);
  EXPECT_EQ(server_->streams[0]->io.peerReset(), true);
}

TEST_F(Http2HostileTest, PrioritiesAreBounded) {
  for (int i = 0; i < 101; i++) {
    say(frame(kPriority, 0, 3, absl::string_view("\0\0\0\0\7", 5)));
  }
  EXPECT_EQ(server_->end, Http2End::kFlood);
  EXPECT_EQ(server_->stats.inbound_priority_frames_flood.value(), 1u);
}

TEST_F(Http2HostileTest, WindowUpdatesAreBounded) {
  for (int i = 0; i < 20; i++) {
    say(frame(kWindowUpdate, 0, 0, absl::string_view("\0\0\0\1", 4)));
  }
  EXPECT_EQ(server_->end, Http2End::kFlood);
  EXPECT_EQ(server_->stats.inbound_window_update_frames_flood.value(), 1u);
}

TEST_F(Http2HostileTest, PingsOfWhoTakesNoAnswersAreBounded) {
  for (int i = 0; i < 10'000 && !server_->end.has_value(); i++) {
    say(frame(kPing, 0, 0, "12345678"));
  }
  EXPECT_EQ(server_->end, Http2End::kFlood);
  EXPECT_EQ(server_->stats.outbound_control_flood.value(), 1u);
  EXPECT_LT(server_->sink.unsentBytes(), 256u * 1024);
}

TEST_F(Http2HostileTest, StreamsThatAreResetAtOnceAreBounded) {
  for (uint32_t stream = 1; stream < 20'000 && !server_->end.has_value(); stream += 2) {
    say(request(stream) + frame(kReset, 0, stream, absl::string_view("\0\0\0\10", 4)));
    server_->streams.clear();
    server_->requests.clear();
    listen();
  }
  EXPECT_TRUE(server_->end.has_value());
}

TEST_F(Http2HostileTest, AMessageThatIsNoneEndsTheConnection) {
  say(request(1));
  say(request(3, field("Upper", "x")));
  EXPECT_EQ(server_->end, Http2End::kProtocol);
  EXPECT_EQ(server_->requests.size(), 1u);
  EXPECT_EQ(server_->stats.rx_messaging_error.value(), 1u);
}

TEST_F(Http2HostileTest, AMessageThatIsNoneEndsItsStreamIfWished) {
  Http2Options options;
  options.bad_messages_end_streams = true;
  serve(options);
  say(request(1));
  say(request(3, field("Upper", "x")));
  say(frame(kHeaders, kEndHeaders, 5, field(":method", "CONNECT")));
  say(request(7));
  EXPECT_FALSE(server_->end.has_value());
  EXPECT_EQ(server_->requests.size(), 2u);
  EXPECT_EQ(server_->stats.tx_reset.value(), 2u);
}

TEST_F(Http2HostileTest, AFrameLongerThanWasToldIsAnError) {
  Http2Options options;
  options.more_settings = {{kHttp2MaxFrameSize, 20'000}};
  serve(options);
  say(frame(kSettings, 1, 0, "") + request(1));
  say(frame(kData, 0, 1, std::string(20'000, 'x')));
  EXPECT_EQ(server_->streams[0]->io.unreadBytes(), 20'000u);
  say(frame(kData, 0, 1, std::string(20'001, 'y')));
  EXPECT_EQ(server_->end, Http2End::kProtocol);
}

TEST_F(Http2HostileTest, BytesBeyondTheWindowAreAnError) {
  Http2Options options;
  options.stream_window_bytes = 1000;
  serve(options);
  // The window counts once the peer has acknowledged the SETTINGS.
  say(frame(kSettings, 1, 0, "") + request(1));
  say(frame(kData, 0, 1, std::string(1000, 'x')));
  EXPECT_EQ(server_->streams[0]->io.unreadBytes(), 1000u);
  EXPECT_FALSE(server_->streams[0]->io.peerReset());
  say(frame(kData, 0, 1, "y"));
  EXPECT_TRUE(server_->streams[0]->io.peerReset());
}

} // namespace
} // namespace culvert::hbone
