// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "source/filter_api/well_known_state.h"
#include "test/kit/filter_fixture.h"

namespace culvert {
namespace {

// A value "k" of that text, made by that factory.
std::string value(absl::string_view text, absl::string_view factory, absl::string_view more = "") {
  return absl::StrCat("object_key: 'k' factory_key: '", factory,
                      "' format_string { text_format_source { inline_string: '", text, "' } } ",
                      more);
}

std::string onOpen(absl::string_view value) {
  return absl::StrCat("on_new_connection {", value, "}");
}

// What is under "k" after a connection has been opened; "none" for nothing.
std::string written(const std::string& config) {
  FilterFixture filter("set_filter_state", config);
  filter.open();
  const net::FilterState* const state = filter.info().filter_state.get();
  const net::FilterState::Object* const object = state == nullptr ? nullptr : state->find("k");
  return object == nullptr ? "none" : object->serialize();
}

TEST(SetFilterState, WritesWhatTheFormatSays) {
  EXPECT_EQ(written(onOpen(value("from %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "envoy.string"))),
            "from 10.0.0.1");
  EXPECT_EQ(written(onOpen(value("%REQUESTED_SERVER_NAME%", "envoy.string"))), "-");
}

TEST(SetFilterState, CanDoWithoutEmptyValues) {
  const std::string nothing = "object_key: 'k' factory_key: 'envoy.string' format_string { "
                              "omit_empty_values: true text_format_source { "
                              "inline_string: '%REQUESTED_SERVER_NAME%' } }";
  EXPECT_EQ(written(onOpen(nothing)), "");
  EXPECT_EQ(written(onOpen(nothing + " skip_if_empty: true")), "none");
}

TEST(SetFilterState, MakesObjectsOfTheirKind) {
  constexpr char kAddress[] = "envoy.network.transport_socket.original_dst_address";
  EXPECT_EQ(written(onOpen(value("10.1.1.1:7", kAddress))), "10.1.1.1:7");
  EXPECT_EQ(written(onOpen(value("10.1.1.1", kAddress))), "none");
  EXPECT_EQ(written(onOpen(value("300", kTcpProxyIdleTimeout))), "300");
  EXPECT_EQ(written(onOpen(value("soon", kTcpProxyIdleTimeout))), "none");
}

TEST(SetFilterState, TakesTheKeyForTheFactory) {
  FilterFixture filter("set_filter_state", R"pb(on_new_connection {
                                                  object_key: "envoy.tcp_proxy.cluster"
                                                  format_string {
                                                    text_format_source { inline_string: "c" }
                                                  }
                                                })pb");
  filter.open();
  EXPECT_EQ(filter.info().filter_state->find(kTcpProxyCluster)->serialize(), "c");
}

TEST(SetFilterState, SeesWhatItWroteBefore) {
  EXPECT_EQ(written(onOpen(value("one", "envoy.string")) +
                    onOpen(value("%FILTER_STATE(k:PLAIN)%two", "envoy.string"))),
            "onetwo");
}

TEST(SetFilterState, WritesAtTheFirstBytesAndNotAgain) {
  FilterFixture filter(
      "set_filter_state",
      absl::StrCat("on_downstream_data {", value("%BYTES_RECEIVED%", "envoy.string"), "}"));
  filter.open();
  EXPECT_EQ(filter.info().filter_state, nullptr);
  filter.fromPeer("ab");
  filter.fromPeer("cde");
  EXPECT_EQ(filter.info().filter_state->find("k")->serialize(), "2");
  EXPECT_EQ(filter.toBehind(), "abcde");
}

TEST(SetFilterState, RefusesKeysAndFormatsThatItDoesNotKnow) {
  const auto refusal = [](const std::string& value) {
    return std::string(FilterFixture::load("set_filter_state", onOpen(value)).message());
  };
  EXPECT_EQ(refusal(value("x", "foo")),
            "on_new_connection[0].factory_key: 'k' does not have an object factory");
  EXPECT_EQ(refusal("object_key: 'foo' format_string { text_format: 'x' }"),
            "on_new_connection[0].object_key: 'foo' does not have an object factory");
  EXPECT_EQ(refusal(value("%NOPE%", "envoy.string")),
            "on_new_connection[0].format_string.text_format_source: Not supported field in "
            "StreamInfo: NOPE");
}

} // namespace
} // namespace culvert
