// SPDX-License-Identifier: Apache-2.0
#include "source/filters/tcp_proxy/tunneling.h"

#include <gtest/gtest.h>

#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "google/protobuf/text_format.h"

namespace culvert::tcp_proxy {
namespace {

using envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy_TunnelingConfig;
using upstream::HttpFields;

absl::StatusOr<std::unique_ptr<const Tunneling>> make(const std::string& text) {
  TcpProxy_TunnelingConfig proto;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &proto));
  return Tunneling::create(proto);
}

std::string error(const std::string& text) { return std::string(make(text).status().message()); }

upstream::TunnelRequest request(const std::string& text) {
  net::ConnectionInfo info;
  info.id = 7;
  const auto tunneling = make(text);
  EXPECT_TRUE(tunneling.ok()) << tunneling.status();
  return (*tunneling)->request({info, access_log::Type::kNotSet, {}, {}});
}

TEST(Tunneling, ConnectsToTheHostname) {
  const upstream::TunnelRequest asked = request("hostname: 'h%CONNECTION_ID%:80'");
  EXPECT_EQ(asked.authority, "h7:80");
  EXPECT_EQ(asked.post_path, "");
}

TEST(Tunneling, PostsToAPath) {
  EXPECT_EQ(request("hostname: 'h' use_post: true").post_path, "/");
  EXPECT_EQ(request("hostname: 'h' use_post: true post_path: '/p'").post_path, "/p");
}

TEST(Tunneling, AddsHeadersInTheirOrder) {
  const HttpFields wanted = {{"x-a", "7"}, {"x-b", "1"}, {"x-a", "2"}};
  EXPECT_EQ(request("hostname: 'h' "
                    "headers_to_add { header { key: 'X-A' value: '%CONNECTION_ID%' } } "
                    "headers_to_add { header { key: 'x-b' value: '1' } } "
                    "headers_to_add { header { key: 'x-a' value: '2' } }")
                .headers,
            wanted);
}

TEST(Tunneling, OverwritesOnlyWhatOverwrites) {
  const HttpFields wanted = {{"x-a", "3"}, {"x-a", "1"}};
  EXPECT_EQ(request("hostname: 'h' "
                    "headers_to_add { header { key: 'x-a' value: '1' } } "
                    "headers_to_add { header { key: 'x-a' value: '2' } append { value: false } } "
                    "headers_to_add { header { key: 'x-a' value: '3' } "
                    "  append_action: OVERWRITE_IF_EXISTS_OR_ADD } "
                    "headers_to_add { header { key: 'x-b' value: '4' } "
                    "  append_action: OVERWRITE_IF_EXISTS }")
                .headers,
            wanted);
}

TEST(Tunneling, LeavesEmptyHeadersOut) {
  const HttpFields wanted = {{"x-b", ""}};
  EXPECT_EQ(request("hostname: 'h' "
                    "headers_to_add { header { key: 'x-a' value: '%REQUESTED_SERVER_NAME%' } } "
                    "headers_to_add { header { key: 'x-b' } keep_empty_value: true }")
                .headers,
            wanted);
}

TEST(Tunneling, ErrorsNameTheField) {
  EXPECT_EQ(error("hostname: '%NOSUCH%'"), "hostname: Not supported field in StreamInfo: NOSUCH");
  EXPECT_EQ(error("hostname: 'h' post_path: '/p'"),
            "post_path: Can't set a post path when POST method isn't used");
  EXPECT_EQ(error("hostname: 'h' headers_to_add { header { key: ':path' value: '1' } }"),
            "headers_to_add[0].header.key: :-prefixed or host headers may not be modified");
  EXPECT_EQ(error("hostname: 'h' headers_to_add { header { key: 'a' value: '%NOSUCH%' } }"),
            "headers_to_add[0].header.value: Not supported field in StreamInfo: NOSUCH");
}

} // namespace
} // namespace culvert::tcp_proxy
