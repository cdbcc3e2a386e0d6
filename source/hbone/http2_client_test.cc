// SPDX-License-Identifier: Apache-2.0
#include "source/hbone/http2_client.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "nghttp2/nghttp2.h"

namespace culvert::hbone {
namespace {

const Http2Fields kGet = {
    {":method", "GET"}, {":scheme", "http"}, {":authority", "host"}, {":path", "/ready"}};

nghttp2_nv line(absl::string_view name, absl::string_view value) {
  const auto bytes = [](absl::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

// The other end.
class Server {
public:
  Server() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks,
        [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
           const uint8_t* value, size_t value_size, uint8_t, void* data) {
          auto& server = *static_cast<Server*>(data);
          server.stream = frame->hd.stream_id;
          server.seen.append(reinterpret_cast<const char*>(name), name_size);
          server.seen += "=";
          server.seen.append(reinterpret_cast<const char*>(value), value_size);
          server.seen += " ";
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks,
        [](nghttp2_session*, uint8_t, int32_t, const uint8_t* bytes, size_t size, void* data) {
          static_cast<Server*>(data)->body.append(reinterpret_cast<const char*>(bytes), size);
          return 0;
        });
    nghttp2_session_server_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~Server() { nghttp2_session_del(session_); }

  void headers(const std::vector<nghttp2_nv>& lines, bool end) {
    nghttp2_submit_headers(session_, end ? NGHTTP2_FLAG_END_STREAM : NGHTTP2_FLAG_NONE, stream,
                           nullptr, lines.data(), lines.size(), nullptr);
  }
  void reset() { nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL); }
  void sayGoodbye() {
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, stream, NGHTTP2_NO_ERROR, nullptr, 0);
  }

  // Both ends say what they have to say.
  void exchange(Http2Client& client) {
    for (std::string bytes = client.output(); !bytes.empty(); bytes = client.output()) {
      ASSERT_EQ(nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()),
                                         bytes.size()),
                static_cast<ssize_t>(bytes.size()));
    }
    const uint8_t* bytes = nullptr;
    for (ssize_t size = 0; (size = nghttp2_session_mem_send(session_, &bytes)) > 0;) {
      ASSERT_TRUE(client.take({reinterpret_cast<const char*>(bytes), static_cast<size_t>(size)}));
    }
  }

  std::string seen;
  std::string body;
  int32_t stream = 0;

private:
  nghttp2_session* session_ = nullptr;
};

class Http2ClientTest : public testing::Test {
protected:
  void ask(const Http2Fields& fields = kGet, const std::string& body = "") {
    client.request(fields, body);
    server.exchange(client);
  }
  using State = Http2Response::State;

  Http2Client client;
  Server server;
};

TEST_F(Http2ClientTest, SendsWhatIsAsked) {
  ask(kGet, "question");
  EXPECT_EQ(server.seen, ":method=GET :scheme=http :authority=host :path=/ready ");
  EXPECT_EQ(server.body, "question");
  EXPECT_EQ(client.response().state, State::kIncomplete);
}

TEST_F(Http2ClientTest, KeepsHeadersAndTrailers) {
  ask();
  server.headers({line(":status", "200"), line("x-one", "1")}, false);
  server.headers({line("x-two", "2"), line("x-one", "3")}, true);
  server.exchange(client);
  EXPECT_EQ(client.response().state, State::kComplete);
  EXPECT_EQ(client.response().status, 200u);
  EXPECT_EQ(*client.response().find("x-two"), "2");
  EXPECT_EQ(*client.response().find("x-one"), "3");
  EXPECT_EQ(client.response().find("x-three"), nullptr);
}

TEST_F(Http2ClientTest, AnInterimResponseIsNotTheAnswer) {
  ask();
  server.headers({line(":status", "103"), line("x-one", "1")}, false);
  server.exchange(client);
  EXPECT_EQ(client.response().state, State::kIncomplete);
  server.headers({line(":status", "404")}, true);
  server.exchange(client);
  EXPECT_EQ(client.response().status, 404u);
  EXPECT_EQ(client.response().find("x-one"), nullptr);
}

TEST_F(Http2ClientTest, AnotherRequestMayFollow) {
  ask();
  server.headers({line(":status", "200")}, true);
  server.exchange(client);
  ASSERT_TRUE(client.reusable());
  ask();
  EXPECT_EQ(client.response().state, State::kIncomplete);
  EXPECT_EQ(server.stream, 3);
}

TEST_F(Http2ClientTest, WhatIsGivenUpIsNotHeardAnyMore) {
  ask();
  client.request(kGet, "");
  server.headers({line(":status", "500")}, true);
  server.exchange(client);
  EXPECT_EQ(client.response().state, State::kIncomplete);
}

TEST_F(Http2ClientTest, AResetIsNoAnswer) {
  ask();
  server.reset();
  server.exchange(client);
  EXPECT_EQ(client.response().state, State::kReset);
}

TEST_F(Http2ClientTest, AfterAGoodbyeNothingFollows) {
  ask();
  server.headers({line(":status", "200")}, true);
  server.sayGoodbye();
  server.exchange(client);
  EXPECT_EQ(client.response().state, State::kComplete);
  EXPECT_FALSE(client.reusable());
}

TEST_F(Http2ClientTest, TooManyHeadersAreNoAnswer) {
  ask();
  const std::string value(5000, 'x');
  server.headers({line(":status", "200"), line("a", value), line("b", value), line("c", value),
                  line("d", value)},
                 true);
  server.exchange(client);
  EXPECT_EQ(client.response().state, State::kReset);
}

TEST_F(Http2ClientTest, AnotherProtocolIsRefused) {
  client.request(kGet, "");
  client.output();
  EXPECT_FALSE(client.take("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n"));
}

} // namespace
} // namespace culvert::hbone
