// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "test/kit/filter_fixture.h"

namespace culvert {
namespace {

constexpr char kConfig[] = "stat_prefix: 't' internal_listener: 'inside'";

// The connection's preface and SETTINGS, then a request of those fields, in one HEADERS frame whose
// fields are literals (RFC 7541, section 6.2.2).
std::string request(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string block;
  for (const auto& [name, value] : fields) {
    block += std::string(1, '\0') + static_cast<char>(name.size()) + name +
             static_cast<char>(value.size()) + value;
  }
  const std::string head = {'\0', '\0', static_cast<char>(block.size()), '\1', '\4', '\0', '\0',
                            '\0', '\1'};
  return absl::StrCat(absl::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33),
                      head, block);
}

// Whether what was sent has a HEADERS frame that ends the stream with that status.
bool answered(absl::string_view sent, absl::string_view status) {
  return absl::StrContains(sent, absl::string_view("\1\5\0\0\0\1", 6)) &&
         (absl::StrContains(sent, status) || sent.find("\x88") == sent.npos);
}

TEST(HboneServer, ARequestThatIsNoConnectIsABadOne) {
  FilterFixture filter("hbone_server", kConfig);
  filter.open();
  filter.fromPeer(request(
      {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "10.0.0.2:80"}}));
  EXPECT_TRUE(answered(filter.toPeer(), "\x8c")) << "400 of the static table";
  EXPECT_EQ(filter.stat("hbone.t.requests_refused"), 1u);
  EXPECT_FALSE(filter.isClosed());
}

// Whether what was sent has a RST_STREAM of the first stream with PROTOCOL_ERROR.
bool reset(absl::string_view sent) {
  return absl::StrContains(sent, absl::string_view("\0\0\4\3\0\0\0\0\1\0\0\0\1", 13));
}

TEST(HboneServer, ARequestThatIsMalformedIsReset) {
  using Fields = std::vector<std::pair<std::string, std::string>>;
  std::vector<Fields> requests = {
      {{":authority", "10.0.0.2:80"}},
      {{":method", "CONNECT"}},
      {{":method", "CONNECT"}, {":path", "/"}, {":authority", "10.0.0.2:80"}},
      {{":method", "CONNECT"}, {":scheme", "http"}, {":authority", "10.0.0.2:80"}},
  };
  for (const char* const authority :
       {"", "http://10.0.0.2:80/", "10.0.0.2:80:1", "[::1", "10.0.0.2:8\n0", "u@10.0.0.2:80"}) {
    requests.push_back({{":method", "CONNECT"}, {":authority", authority}});
  }
  for (const Fields& fields : requests) {
    FilterFixture filter("hbone_server", kConfig);
    filter.open();
    filter.fromPeer(request(fields));
    EXPECT_TRUE(reset(filter.toPeer())) << fields.back().first << fields.back().second;
    EXPECT_FALSE(filter.isClosed()) << "others go on";
    EXPECT_EQ(filter.stat("hbone.t.tunnels_total"), 0u);
  }
}

TEST(HboneServer, WithoutItsListenerNothingIsServed) {
  FilterFixture filter("hbone_server", kConfig);
  filter.open();
  filter.fromPeer(request({{":method", "CONNECT"}, {":authority", "10.0.0.2:80"}}));
  EXPECT_TRUE(answered(filter.toPeer(), "503"));
  EXPECT_EQ(filter.stat("hbone.t.no_listener"), 1u);
  EXPECT_FALSE(filter.isClosed());
}

TEST(HboneServer, WhatIsNoHttp2Ends) {
  FilterFixture filter("hbone_server", kConfig);
  filter.open();
  filter.fromPeer("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(filter.isClosed());
  EXPECT_EQ(filter.stat("hbone.t.protocol_error"), 1u);
}

TEST(HboneServer, WhoEndsIsToldGoodbye) {
  FilterFixture filter("hbone_server", kConfig);
  filter.open();
  filter.fromPeer(absl::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33));
  filter.endFromPeer();
  EXPECT_TRUE(absl::EndsWith(filter.toPeer(), // GOAWAY(NO_ERROR)
                             absl::string_view("\0\0\x8\7\0\0\0\0\0\0\0\0\0\0\0\0\0", 17)));
  EXPECT_TRUE(filter.isClosed());
}

TEST(HboneServer, APeerThatIsSilentIsAskedAndLeft) {
  FilterFixture filter("hbone_server", kConfig);
  filter.open();
  filter.fromPeer(absl::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33));
  filter.advance(std::chrono::seconds(10));
  EXPECT_FALSE(filter.isClosed());
  filter.advance(std::chrono::seconds(20));
  EXPECT_TRUE(filter.isClosed());
}

} // namespace
} // namespace culvert
