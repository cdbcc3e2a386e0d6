// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/http_response.h"

#include <string>

#include "gtest/gtest.h"

namespace culvert::upstream {
namespace {

using State = HttpResponse::State;

// However a response is cut into pieces, the end of it must be the same.
State takeByByte(HttpResponse& response, const std::string& text) {
  State state = State::kIncomplete;
  for (const char byte : text) {
    EXPECT_EQ(state, State::kIncomplete);
    state = response.take(std::string(1, byte), false);
  }
  return state;
}

State take(const std::string& text) {
  HttpResponse whole(false);
  HttpResponse pieces(false);
  const State state = whole.take(text, false);
  EXPECT_EQ(takeByByte(pieces, text), state);
  EXPECT_EQ(pieces.status(), whole.status());
  return state;
}

TEST(HttpResponse, EndsWithTheBodyThatItAnnounces) {
  EXPECT_EQ(take("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"), State::kComplete);
  EXPECT_EQ(take("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"), State::kIncomplete);
  EXPECT_EQ(take("HTTP/1.1 204\r\n\r\n"), State::kComplete);
  EXPECT_EQ(take("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"), State::kComplete);
}

TEST(HttpResponse, EndsWithTheLastChunk) {
  EXPECT_EQ(take("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                 "3;x=y\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\ntrailer: 1\r\n\r\n"),
            State::kComplete);
  EXPECT_EQ(take("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx"), State::kIncomplete);
  HttpResponse bad(false);
  EXPECT_EQ(bad.take("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", false),
            State::kBroken);
}

TEST(HttpResponse, EndsWithTheConnectionOtherwise) {
  HttpResponse response(false);
  EXPECT_EQ(response.take("HTTP/1.0 200 OK\r\n\r\nbytes", false), State::kIncomplete);
  EXPECT_EQ(response.take("", true), State::kComplete);
  EXPECT_FALSE(response.keepAlive());
}

TEST(HttpResponse, PassesInterimOnes) {
  HttpResponse response(false);
  EXPECT_EQ(response.take(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", false),
            State::kComplete);
  EXPECT_EQ(response.status(), 404u);
}

TEST(HttpResponse, OfAHeadRequestHasNoBody) {
  HttpResponse response(true);
  EXPECT_EQ(response.take("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", false), State::kComplete);
}

TEST(HttpResponse, KnowsWhetherTheConnectionStays) {
  HttpResponse stays(false);
  stays.take("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false);
  EXPECT_TRUE(stays.keepAlive());
  HttpResponse goes(false);
  goes.take("HTTP/1.1 200 OK\r\nConnection: Close\r\ncontent-length: 0\r\n\r\n", false);
  EXPECT_FALSE(goes.keepAlive());
}

TEST(HttpResponse, SeesThatAHostIsOnlyJustFit) {
  HttpResponse response(false);
  response.take("HTTP/1.1 200 OK\r\nx-envoy-degraded:\r\ncontent-length: 0\r\n\r\n", false);
  EXPECT_TRUE(response.degraded());
}

TEST(HttpResponse, BreaksOnWhatIsNoAnswer) {
  for (const char* text :
       {"SSH-2.0-x\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nmore"}) {
    HttpResponse response(false);
    EXPECT_EQ(response.take(text, false), State::kBroken) << text;
  }
  HttpResponse endless(false);
  EXPECT_EQ(endless.take("HTTP/1.1 200 OK\r\nx: " + std::string(20000, 'x'), false),
            State::kBroken);
  HttpResponse cut(false);
  EXPECT_EQ(cut.take("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok", true), State::kBroken);
}

} // namespace
} // namespace culvert::upstream
