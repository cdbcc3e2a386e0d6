// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "source/filters/proxy_protocol/config.h"
#include "source/filters/proxy_protocol/header.h"
#include "source/net/proxy_header.h"
#include "test/kit/listener_filter_fixture.h"

namespace culvert {
namespace {

using proxy_protocol::ParsedHeader;
using proxy_protocol::parseHeader;
using proxy_protocol::sanitizeUtf8;
using Kind = ParsedHeader::Kind;

std::string binary(absl::string_view tlvs, char command = '\x21') {
  const absl::string_view addresses("\x0a\1\2\3\x0a\4\5\6\x04\x57\x08\xae", 12);
  const size_t length = addresses.size() + tlvs.size();
  const char about[] = {command, '\x11', static_cast<char>(length >> 8), static_cast<char>(length)};
  return absl::StrCat(absl::string_view("\r\n\r\n\0\r\nQUIT\n", 12),
                      absl::string_view(about, sizeof(about)), addresses, tlvs);
}

Kind kindOf(absl::string_view stream) { return parseHeader(stream).kind; }

TEST(ProxyHeader, BothVersionsNameTheAddresses) {
  for (const std::string& stream :
       {std::string("PROXY TCP4 10.1.2.3 10.4.5.6 1111 2222\r\n"), binary("")}) {
    const ParsedHeader header = parseHeader(stream + "hi");
    EXPECT_EQ(header.kind, Kind::kHeader);
    EXPECT_EQ(header.bytes, stream.size());
    EXPECT_EQ(header.source.toString(), "10.1.2.3:1111");
    EXPECT_EQ(header.destination.toString(), "10.4.5.6:2222");
    for (size_t some = 0; some < stream.size(); some++) {
      const ParsedHeader part = parseHeader(stream.substr(0, some));
      EXPECT_EQ(part.kind, Kind::kNeedMore) << some;
      EXPECT_GT(part.bytes, some);
      EXPECT_LE(part.bytes, stream.size());
    }
  }
}

TEST(ProxyHeader, NoMoreIsAskedForThanTheShortestHas) {
  const std::string shortest = "PROXY UNKNOWN\r\n";
  EXPECT_EQ(parseHeader(shortest).bytes, shortest.size());
  for (size_t some = 0; some < shortest.size(); some++) {
    EXPECT_LE(parseHeader(shortest.substr(0, some)).bytes, shortest.size()) << some;
  }
}

TEST(ProxyHeader, WhatIsWrittenCanBeRead) {
  const auto source = *net::Address::parseIpPort("[1::2]:7");
  const auto destination = *net::Address::parseIpPort("[3::4]:65535");
  for (const int version : {1, 2}) {
    const std::string stream =
        net::encodeProxyHeader(version, source, destination, {{5, "unique"}, {6, ""}});
    const ParsedHeader header = parseHeader(stream);
    EXPECT_EQ(header.kind, Kind::kHeader);
    EXPECT_EQ(header.version, version);
    EXPECT_EQ(header.bytes, stream.size());
    EXPECT_EQ(header.source, source);
    EXPECT_EQ(header.destination, destination);
    EXPECT_EQ(header.tlvs.size(), version == 1 ? 0u : 12u);
  }
}

TEST(ProxyHeader, WhatIsNoPairOfAddressesIsNotNamed) {
  const auto v4 = *net::Address::parseIpPort("1.2.3.4:5");
  for (const int version : {1, 2}) {
    for (const net::Address& other : {net::Address(), *net::Address::parseIpPort("[1::2]:7")}) {
      const ParsedHeader header = parseHeader(net::encodeProxyHeader(version, v4, other, {}));
      EXPECT_EQ(header.kind, Kind::kHeader);
      EXPECT_FALSE(header.has_addresses);
    }
  }
}

TEST(ProxyHeader, UnknownAndLocalNameNone) {
  for (const std::string& stream : {std::string("PROXY UNKNOWN\r\n"),
                                    std::string("PROXY UNKNOWN a b\r\n"), binary("", '\x20')}) {
    const ParsedHeader header = parseHeader(stream);
    EXPECT_EQ(header.kind, Kind::kHeader);
    EXPECT_FALSE(header.has_addresses);
  }
}

TEST(ProxyHeader, PortsAreDigits) {
  EXPECT_EQ(kindOf("PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n"), Kind::kMalformed);
  EXPECT_EQ(kindOf("PROXY TCP4 1.2.3.4 5.6.7.8 \t1 2\r\n"), Kind::kMalformed);
  EXPECT_EQ(kindOf("PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n"), Kind::kMalformed);
  EXPECT_EQ(kindOf("PROXY TCP4 1.2.3.4 5.6.7.8 0 02222\r\n"), Kind::kHeader);
}

TEST(ProxyHeader, LineHasAnEnd) {
  const std::string line = "PROXY UNKNOWN " + std::string(92, 'x');
  EXPECT_EQ(kindOf(line + "\r\n"), Kind::kHeader);
  EXPECT_EQ(kindOf(line + "x\r\n"), Kind::kMalformed);
  EXPECT_EQ(kindOf(line), Kind::kNeedMore);
}

TEST(ProxyHeader, TlvsFillTheRest) {
  EXPECT_EQ(kindOf(binary(absl::string_view("\2\0\1a\5\0\0", 7))), Kind::kHeader);
  EXPECT_EQ(kindOf(binary(absl::string_view("\2\0\2a", 4))), Kind::kMalformed);
  EXPECT_EQ(kindOf(binary(absl::string_view("\2\0", 2))), Kind::kMalformed);
}

TEST(SanitizeUtf8, KeepsWhatIsText) {
  EXPECT_EQ(sanitizeUtf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8d"),
            "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8d");
  EXPECT_EQ(sanitizeUtf8("\xff\xc3(\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82"),
            "!!(!!!!!!!!!!!");
}

TEST(ProxyProtocol, TakesTheHeaderOffAndBelievesIt) {
  ListenerFilterFixture filter("proxy_protocol", "");
  const net::Address direct = filter.info().direct_remote;
  filter.fromPeer("PROXY TCP4 10.1.2.3 10.4.");
  EXPECT_TRUE(filter.waits());
  filter.fromPeer("5.6 1111 2222\r\nhi");
  EXPECT_EQ(filter.end(), StageEnd::kReady);
  EXPECT_EQ(filter.info().remote.toString(), "10.1.2.3:1111");
  EXPECT_EQ(filter.info().local.toString(), "10.4.5.6:2222");
  EXPECT_EQ(filter.info().direct_remote, direct);
  EXPECT_TRUE(filter.info().local_restored);
  EXPECT_EQ(filter.left(), "hi");
  EXPECT_EQ(filter.stat("proxy_proto.versions.v1.found"), 1u);
}

TEST(ProxyProtocol, RefusesWhatIsNoHeaderWhenThereIsEnoughForOne) {
  ListenerFilterFixture filter("proxy_protocol", R"pb(stat_prefix: "mine")pb");
  filter.fromPeer("GET / HTTP/1.1\r");
  EXPECT_TRUE(filter.waits());
  EXPECT_EQ(filter.stat("proxy_proto.mine.not_found_disallowed"), 0u);
  filter.fromPeer("\n");
  EXPECT_EQ(filter.end(), StageEnd::kRefused);
  EXPECT_EQ(filter.stat("proxy_proto.mine.not_found_disallowed"), 1u);
  EXPECT_EQ(filter.stat("downstream_cx_proxy_proto_error"), 1u);
}

TEST(ProxyProtocol, LeavesBytesAloneThatAreNoHeader) {
  ListenerFilterFixture filter("proxy_protocol", "allow_requests_without_proxy_protocol: true");
  filter.fromPeer("h");
  EXPECT_EQ(filter.end(), StageEnd::kReady);
  EXPECT_EQ(filter.left(), "h");
  EXPECT_EQ(filter.info().filter_state, nullptr);
}

TEST(ProxyProtocol, KeepsTheTlvsThatArePassedOn) {
  ListenerFilterFixture filter("proxy_protocol",
                               "pass_through_tlvs { match_type: INCLUDE tlv_type: 234 }");
  filter.fromPeer(binary(absl::string_view("\2\0\1a\xea\0\1b", 8)));
  EXPECT_EQ(filter.end(), StageEnd::kReady);
  const auto* const header =
      filter.info().filter_state->find<net::ProxyHeader>(net::ProxyHeader::kKey);
  ASSERT_NE(header, nullptr);
  EXPECT_EQ(header->source.toString(), "10.1.2.3:1111");
  ASSERT_EQ(header->tlvs.size(), 1u);
  EXPECT_EQ(header->tlvs[0].type, 234);
  EXPECT_EQ(header->tlvs[0].value, "b");
}

TEST(ProxyProtocol, BothVersionsCannotBeDisallowed) {
  const absl::Status status =
      ListenerFilterFixture::load("proxy_protocol", "disallowed_versions: [V1, V2]");
  EXPECT_EQ(status.message(),
            "disallowed_versions: Proxy Protocol filter is misconfigured: all proxy protocol "
            "versions are disallowed.");
}

} // namespace
} // namespace culvert
