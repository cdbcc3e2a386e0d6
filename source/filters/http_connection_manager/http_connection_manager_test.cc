// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "test/kit/filter_fixture.h"

namespace culvert {
namespace {

constexpr absl::string_view kRoute =
    "route { cluster: 'c' upgrade_configs { upgrade_type: 'CONNECT' connect_config {} } }";
constexpr absl::string_view kRouter =
    "http_filters { name: 'router' typed_config { "
    "[type.googleapis.com/envoy.extensions.filters.http.router.v3.Router] {} } } ";

// One that sends each CONNECT to cluster "c", with `more` of its fields.
std::string manager(absl::string_view more = "", absl::string_view route = kRoute) {
  return absl::StrCat("stat_prefix: 't' route_config { virtual_hosts { name: 'v' domains: '*' "
                      "routes { match { connect_matcher {} } ",
                      route, " } } } ", more, " ",
                      more.find("http_filters") == more.npos ? kRouter : "");
}

FilterFixture opened(absl::string_view more = "", absl::string_view route = kRoute) {
  return FilterFixture("http_connection_manager", manager(more, route));
}

std::string refusal(absl::string_view more, absl::string_view route = kRoute) {
  return std::string(
      FilterFixture::load("http_connection_manager", manager(more, route)).message());
}

constexpr absl::string_view kConnect = "CONNECT 10.0.0.1:80 HTTP/1.1\r\nHost: x\r\n\r\n";

TEST(HttpConnectionManager, AsksForTheClusterOfTheRoute) {
  FilterFixture filter = opened();
  filter.open();
  filter.fromPeer(kConnect.substr(0, 20));
  EXPECT_FALSE(filter.isClosed());
  filter.fromPeer(kConnect.substr(20));
  EXPECT_EQ(filter.clusterAskedFor(), "c");
  EXPECT_TRUE(absl::StartsWith(filter.toPeer(), "HTTP/1.1 503 Service Unavailable\r\ndate: "))
      << filter.toPeer();
  EXPECT_TRUE(absl::StrContains(filter.toPeer(), "\r\nserver: envoy\r\n"));
  EXPECT_TRUE(filter.isClosed());
  EXPECT_EQ(filter.stat("http.t.no_cluster"), 1u);
  EXPECT_EQ(filter.stat("http.t.downstream_rq_5xx"), 1u);
  EXPECT_EQ(filter.stat("http.t.downstream_rq_active"), 0u);
  EXPECT_EQ(filter.stat("http.t.downstream_cx_http1_total"), 1u);
  EXPECT_EQ(filter.stat("http.t.downstream_cx_active"), 0u);
}

TEST(HttpConnectionManager, AnswersNothingButConnect) {
  FilterFixture filter = opened();
  filter.open();
  filter.fromPeer("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(absl::StartsWith(filter.toPeer(), "HTTP/1.1 404 Not Found\r\n"));
  EXPECT_EQ(filter.stat("http.t.no_route"), 1u);
}

TEST(HttpConnectionManager, TellsThatARequestIsNone) {
  FilterFixture filter = opened();
  filter.open();
  filter.fromPeer("\x16\x03\x01 nonsense\r\n\r\n");
  EXPECT_TRUE(absl::StartsWith(filter.toPeer(), "HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_TRUE(filter.isClosed());
  EXPECT_EQ(filter.stat("http.t.downstream_cx_protocol_error"), 1u);
}

TEST(HttpConnectionManager, TellsHttp2ByItsPreface) {
  FilterFixture filter = opened();
  filter.open();
  filter.fromPeer("PRI * HT");
  EXPECT_EQ(filter.stat("http.t.downstream_cx_http2_total"), 0u);
  filter.fromPeer("TP/2.0\r\n\r\nSM\r\n\r\n");
  EXPECT_EQ(filter.stat("http.t.downstream_cx_http2_total"), 1u);
  EXPECT_EQ(filter.toPeer().substr(3, 1), "\x04") << "SETTINGS";
  filter.endFromPeer();
  EXPECT_TRUE(filter.isClosed());
  EXPECT_EQ(filter.stat("http.t.downstream_cx_destroy_remote"), 1u);
}

TEST(HttpConnectionManager, EndsAnHttp2ConnectionThatIsNone) {
  FilterFixture filter = opened("codec_type: HTTP2");
  filter.open();
  filter.fromPeer("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(filter.isClosed());
  EXPECT_EQ(filter.stat("http.t.downstream_cx_protocol_error"), 1u);
}

TEST(HttpConnectionManager, SaysGoodbyeToWhoIsIdle) {
  FilterFixture filter = opened("codec_type: HTTP2 drain_timeout { seconds: 3 } "
                                "common_http_protocol_options { idle_timeout { seconds: 10 } }");
  filter.open();
  filter.fromPeer(absl::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33));
  const size_t said = filter.toPeer().size();
  filter.advance(std::chrono::seconds(10));
  EXPECT_EQ(filter.toPeer().substr(said + 3, 1), "\x07") << "GOAWAY";
  EXPECT_FALSE(filter.isClosed());
  filter.advance(std::chrono::seconds(3));
  EXPECT_TRUE(filter.isClosed());
  EXPECT_EQ(filter.stat("http.t.downstream_cx_idle_timeout"), 1u);
}

TEST(HttpConnectionManager, AnswersDirectly) {
  FilterFixture filter =
      opened("server_name: 'me'", "direct_response { status: 403 body { inline_string: 'no' } }");
  filter.open();
  filter.fromPeer(kConnect);
  EXPECT_TRUE(absl::StartsWith(filter.toPeer(), "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n"))
      << filter.toPeer();
  EXPECT_TRUE(absl::StrContains(filter.toPeer(), "server: me\r\n"));
  EXPECT_TRUE(absl::EndsWith(filter.toPeer(), "\r\n\r\nno"));
}

TEST(HttpConnectionManager, RefusesWhatItCannotServe) {
  EXPECT_EQ(refusal("", "route { cluster: 'c' }"),
            "route_config.virtual_hosts[0].routes[0].route.upgrade_configs: a CONNECT with a "
            "connect_config is needed: requests are not sent on as such");
  EXPECT_EQ(refusal("upgrade_configs { upgrade_type: 'websocket' }"),
            "upgrade_configs[0].upgrade_type: only CONNECT is supported");
  const std::string state = "http_filters { name: 's' typed_config { "
                            "[type.googleapis.com/envoy.extensions.filters.http.set_filter_state."
                            "v3.Config] { on_request_headers { object_key: 'k' factory_key: '$' "
                            "format_string { text_format_source { inline_string: 'x' } } } } } } ";
  EXPECT_EQ(refusal(absl::StrReplaceAll(state, {{"$", "envoy.string"}})),
            "http_filters[0]: Error: non-terminal filter named s is the last filter in a http "
            "filter chain.");
  EXPECT_EQ(refusal(absl::StrCat(state, kRouter)),
            "http_filters[0].typed_config.on_request_headers[0].factory_key: 'k' does not have an "
            "object factory");
}

} // namespace
} // namespace culvert
