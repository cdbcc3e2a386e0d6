// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "source/filters/tls_inspector/client_hello.h"
#include "test/kit/listener_filter_fixture.h"

namespace culvert {
namespace {

using tls_inspector::parseClientHello;
using tls_inspector::ParsedHello;

std::string number(size_t value, size_t width) {
  std::string bytes;
  for (size_t i = width; i > 0; i--) {
    bytes += static_cast<char>(value >> (8 * (i - 1)));
  }
  return bytes;
}

std::string vector(const std::string& content, size_t width) {
  return number(content.size(), width) + content;
}

std::string record(const std::string& content, char type = 22) {
  return type + std::string("\3\1", 2) + vector(content, 2);
}

std::string extension(size_t type, const std::string& content) {
  return number(type, 2) + vector(content, 2);
}

std::string serverName(const std::string& name) {
  return extension(0, vector(std::string(1, '\0') + vector(name, 2), 2));
}

std::string protocols(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) {
    list += vector(name, 1);
  }
  return extension(16, vector(list, 2));
}

std::string message(const std::string& extensions) {
  const std::string body = "\3\3" + std::string(32, 'r') + vector("", 1) + vector("\x13\1", 2) +
                           vector(std::string(1, '\0'), 1) + vector(extensions, 2);
  return "\1" + vector(body, 3);
}

std::string hello(const std::string& extensions) { return record(message(extensions)); }

std::string whyNot(const std::string& stream) {
  const ParsedHello parsed = parseClientHello(stream);
  return parsed.kind == ParsedHello::Kind::kNoHello ? parsed.why.words : "";
}

TEST(ClientHello, TellsNameAndProtocols) {
  const std::string stream = hello(serverName("Echo.Lab.Test") + protocols({"h2", "http/1.1"}));
  const ParsedHello parsed = parseClientHello(stream + "what follows");
  EXPECT_EQ(parsed.kind, ParsedHello::Kind::kHello);
  EXPECT_EQ(parsed.bytes, stream.size());
  EXPECT_EQ(parsed.server_name, "Echo.Lab.Test");
  EXPECT_EQ(parsed.application_protocols, (std::vector<std::string>{"h2", "http/1.1"}));
}

TEST(ClientHello, EveryPartOfItWantsMore) {
  const std::string whole = message(serverName("a.test"));
  const std::string stream = record(whole.substr(0, 3)) + record(whole.substr(3));
  for (size_t some = 0; some < stream.size(); some++) {
    const ParsedHello parsed = parseClientHello(stream.substr(0, some));
    EXPECT_EQ(parsed.kind, ParsedHello::Kind::kNeedMore) << some;
    EXPECT_GT(parsed.bytes, some);
    EXPECT_LE(parsed.bytes, stream.size());
  }
  EXPECT_EQ(parseClientHello(stream).server_name, "a.test");
}

TEST(ClientHello, OtherBytesAreToldApart) {
  EXPECT_EQ(whyNot("h"), "WRONG_VERSION_NUMBER");
  EXPECT_EQ(whyNot("GET / HTTP/1.1"), "HTTP_REQUEST");
  EXPECT_EQ(whyNot("CONNECT a:1"), "HTTPS_PROXY_REQUEST");
  EXPECT_EQ(whyNot("\x16\2\1"), "WRONG_VERSION_NUMBER");
  EXPECT_EQ(whyNot(record("\2\x28", 21)), "UNEXPECTED_RECORD");
  EXPECT_EQ(whyNot(record("")), "WRONG_VERSION_NUMBER");
  EXPECT_EQ(whyNot("\x16\3\1\xff\xff"), "ENCRYPTED_LENGTH_TOO_LONG");
  EXPECT_EQ(whyNot(record("\2" + vector("abc", 3))), "UNEXPECTED_MESSAGE");
  EXPECT_EQ(whyNot(record("\1" + number(20000, 3))), "EXCESSIVE_MESSAGE_SIZE");
}

TEST(ClientHello, MalformedOnesAreNone) {
  EXPECT_EQ(whyNot(record("\1" + vector("short", 3))), "CLIENTHELLO_PARSE_FAILED");
  EXPECT_EQ(whyNot(hello("\1")), "CLIENTHELLO_PARSE_FAILED");
  EXPECT_EQ(whyNot(hello(serverName("a") + serverName("a"))), "CLIENTHELLO_PARSE_FAILED");
  EXPECT_EQ(whyNot(hello(serverName(""))), "ERROR_PARSING_EXTENSION");
  EXPECT_EQ(whyNot(hello(serverName(std::string("a\0b", 3)))), "ERROR_PARSING_EXTENSION");
  EXPECT_EQ(whyNot(hello(serverName(std::string(256, 'a')))), "ERROR_PARSING_EXTENSION");
  EXPECT_EQ(whyNot(hello(serverName(std::string(255, 'a')))), "");
}

TEST(ClientHello, MalformedProtocolsAreIgnored) {
  for (const std::string& bad : {vector("", 2), vector(std::string("\0\2h2", 4), 2),
                                 vector("\5h2", 2), vector("\2h2", 2) + "x"}) {
    const ParsedHello parsed = parseClientHello(hello(serverName("a.test") + extension(16, bad)));
    EXPECT_EQ(parsed.server_name, "a.test");
    EXPECT_TRUE(parsed.application_protocols.empty());
  }
}

TEST(TlsInspector, LooksWithoutTaking) {
  ListenerFilterFixture filter("tls_inspector", "");
  const std::string stream = hello(serverName("A.Test") + protocols({"h2"}));
  filter.fromPeer(stream.substr(0, 30));
  EXPECT_TRUE(filter.waits());
  filter.fromPeer(stream.substr(30));
  EXPECT_EQ(filter.end(), StageEnd::kReady);
  EXPECT_EQ(filter.info().requested_server_name, "a.test");
  EXPECT_EQ(filter.detected().transport_protocol, "tls");
  EXPECT_EQ(filter.detected().application_protocols, (std::vector<std::string>{"h2"}));
  EXPECT_EQ(filter.left(), stream);
  EXPECT_EQ(filter.stat("tls_inspector.tls_found"), 1);
  EXPECT_EQ(filter.stat("tls_inspector.sni_found"), 1);
  EXPECT_EQ(filter.stat("tls_inspector.alpn_found"), 1);
}

TEST(TlsInspector, PlainTextGoesOnAsRawBuffer) {
  ListenerFilterFixture filter("tls_inspector", "");
  filter.fromPeer("GET ");
  EXPECT_TRUE(filter.waits()); // For as much as a record begins with.
  filter.fromPeer("/ HTTP/1.1\r\n");
  EXPECT_EQ(filter.end(), StageEnd::kReady);
  EXPECT_EQ(filter.detected().transport_protocol, "raw_buffer");
  EXPECT_EQ(filter.info().requested_server_name, "");
  EXPECT_EQ(filter.info().transport_failure_reason,
            "TLS_error|error:1000009c:SSL routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end");
  EXPECT_EQ(filter.stat("tls_inspector.tls_not_found"), 1);
}

TEST(TlsInspector, ClosesPlainTextWhenToldTo) {
  ListenerFilterFixture filter("tls_inspector",
                               "close_connection_on_client_hello_parsing_errors: true");
  filter.fromPeer("GET / HTTP/1.1\r\n");
  EXPECT_EQ(filter.end(), StageEnd::kRefused);
}

TEST(TlsInspector, HelloThatIsTooLargeIsRefusedAsSoonAsItSaysSo) {
  ListenerFilterFixture filter("tls_inspector", "max_client_hello_size { value: 300 }");
  filter.fromPeer(hello(extension(21, std::string(400, 'p'))).substr(0, 20));
  EXPECT_EQ(filter.end(), StageEnd::kRefused);
  EXPECT_EQ(filter.stat("tls_inspector.client_hello_too_large"), 1);
  EXPECT_EQ(filter.stat("tls_inspector.tls_not_found"), 0);
}

TEST(TlsInspector, LooksAtMoreWhenTheFirstLookWasTooShort) {
  ListenerFilterFixture filter("tls_inspector", "initial_read_buffer_size { value: 256 }");
  filter.fromPeer(hello(extension(21, std::string(9000, 'p')) + serverName("a.test")));
  EXPECT_EQ(filter.end(), StageEnd::kReady);
  EXPECT_EQ(filter.info().requested_server_name, "a.test");
}

TEST(TlsInspector, PeerThatLeavesIsNoticed) {
  ListenerFilterFixture silent("tls_inspector", "");
  silent.endFromPeer();
  EXPECT_EQ(silent.end(), StageEnd::kPeerClosed);

  ListenerFilterFixture partial("tls_inspector", "");
  partial.fromPeer("\x16\3\1");
  EXPECT_TRUE(partial.waits());
  partial.endFromPeer();
  EXPECT_EQ(partial.end(), StageEnd::kPeerClosed);

  ListenerFilterFixture reset("tls_inspector", "");
  reset.fromPeer("\x16\3\1");
  reset.resetFromPeer();
  EXPECT_NE(reset.end(), StageEnd::kReady);
}

TEST(TlsInspector, HelloWithAnEndBehindItIsServed) {
  ListenerFilterFixture filter("tls_inspector", "");
  const std::string stream = hello(serverName("a.test"));
  filter.fromPeer(stream.substr(0, 10));
  filter.fromPeer(stream.substr(10));
  filter.endFromPeer();
  EXPECT_EQ(filter.end(), StageEnd::kReady);
}

} // namespace
} // namespace culvert
