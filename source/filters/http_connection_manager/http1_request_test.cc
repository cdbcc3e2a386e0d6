// SPDX-License-Identifier: Apache-2.0
#include "source/filters/http_connection_manager/http1_request.h"

#include <gtest/gtest.h>

namespace culvert::http_connection_manager {
namespace {

using State = Http1Request::State;

Http1Request parse(absl::string_view bytes) { return parseHttp1(bytes, 100, 4); }

TEST(Http1Request, AConnectNamesItsTarget) {
  const Http1Request request = parse("CONNECT a:1 HTTP/1.1\r\nHost: b\r\nX-Y:  z \r\n\r\nrest");
  EXPECT_EQ(request.state, State::kComplete);
  EXPECT_EQ(request.bytes, 43u);
  EXPECT_EQ(request.protocol, "HTTP/1.1");
  const net::RequestInfo::Fields fields = {
      {":method", "CONNECT"}, {":authority", "a:1"}, {"x-y", "z"}};
  EXPECT_EQ(request.fields, fields);
}

TEST(Http1Request, OthersHaveAPath) {
  const net::RequestInfo::Fields fields = {
      {":method", "GET"}, {":path", "/p"}, {":authority", "b"}};
  EXPECT_EQ(parse("GET /p HTTP/1.0\r\nHost: b\r\n\r\n").fields, fields);
}

TEST(Http1Request, WaitsForTheEmptyLine) {
  EXPECT_EQ(parse("").state, State::kMore);
  EXPECT_EQ(parse("CONNECT a:1 HTTP/1.1\r\nHost: b\r\n\r").state, State::kMore);
}

TEST(Http1Request, IsBounded) {
  EXPECT_EQ(parse(std::string(101, 'x')).state, State::kTooLarge);
  EXPECT_EQ(parse("GET / HTTP/1.1\r\na: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\n\r\n").state,
            State::kTooLarge);
}

TEST(Http1Request, IsNotGuessed) {
  for (const char* const text :
       {"CONNECT a:1\r\n\r\n", "CONNECT  a:1 HTTP/1.1\r\n\r\n", "CONNECT a:1 HTTP/3\r\n\r\n",
        "CON\x01 a:1 HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\na : b\r\n\r\n", "GET / HTTP/1.1\r\n: b\r\n\r\n",
        "GET / HTTP/1.1\r\na: \x02\r\n\r\n", "GET / HTTP/1.1\r\n folded: b\r\n\r\n"}) {
    EXPECT_EQ(parse(text).state, State::kBad) << text;
  }
}

} // namespace
} // namespace culvert::http_connection_manager
