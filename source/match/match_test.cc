// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "envoy/config/core/v3/address.pb.h"
#include "envoy/type/matcher/v3/value.pb.h"
#include "google/protobuf/text_format.h"
#include "source/match/value_match.h"
#include "source/net/metadata.h"

namespace culvert::match {
namespace {

template <class Message> Message parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

absl::StatusOr<StringMatch> stringMatch(const std::string& text) {
  return makeStringMatch(parse<envoy::type::matcher::v3::StringMatcher>(text));
}

bool matches(const std::string& matcher, absl::string_view text) {
  return stringMatch(matcher)->matches(text);
}

bool holds(const std::string& matcher, const net::Value& value) {
  return (*makeValueMatch(parse<envoy::type::matcher::v3::ValueMatcher>(matcher)))(value);
}

TEST(StringMatch, TakesTheWholeTextOrAPart) {
  EXPECT_TRUE(matches("exact: 'ab'", "ab"));
  EXPECT_FALSE(matches("exact: 'ab'", "abc"));
  EXPECT_TRUE(matches("exact: ''", ""));
  EXPECT_TRUE(matches("prefix: 'ab'", "abc"));
  EXPECT_FALSE(matches("prefix: 'ab'", "a"));
  EXPECT_TRUE(matches("suffix: 'bc'", "abc"));
  EXPECT_FALSE(matches("suffix: 'bc'", "abcd"));
  EXPECT_TRUE(matches("contains: 'b'", "abc"));
  EXPECT_FALSE(matches("contains: 'x'", "abc"));
}

TEST(StringMatch, IgnoresCaseWhenAsked) {
  EXPECT_FALSE(matches("exact: 'AB'", "ab"));
  EXPECT_TRUE(matches("exact: 'AB' ignore_case: true", "ab"));
  EXPECT_TRUE(matches("prefix: 'AB' ignore_case: true", "abc"));
  EXPECT_TRUE(matches("suffix: 'Bc' ignore_case: true", "abC"));
  EXPECT_TRUE(matches("contains: 'B' ignore_case: true", "abc"));
  EXPECT_FALSE(matches("contains: 'X' ignore_case: true", "abc"));
}

TEST(StringMatch, WantsAnExpressionToMatchTheWholeText) {
  EXPECT_TRUE(matches("safe_regex { regex: 'a.*c' }", "abbc"));
  EXPECT_FALSE(matches("safe_regex { regex: 'a.*c' }", "abbcd"));
  EXPECT_FALSE(matches("safe_regex { regex: 'ABC' } ignore_case: true", "abc"));
}

TEST(StringMatch, RefusesWhatIsNoExpression) {
  EXPECT_EQ(stringMatch("safe_regex { regex: '[' }").status().message(),
            ".safe_regex.regex: missing ]: [");
  EXPECT_EQ(stringMatch("custom { name: 'lua' }").status().message(),
            ".custom: custom matchers are not supported");
}

TEST(ValueMatch, LooksIntoLists) {
  const net::Value list{net::Value::List{{1.0}, {std::string("two")}}};
  EXPECT_TRUE(holds("list_match { one_of { string_match { prefix: 'tw' } } }", list));
  EXPECT_TRUE(holds("list_match { one_of { double_match { exact: 1 } } }", list));
  EXPECT_FALSE(holds("list_match { one_of { bool_match: true } }", list));
}

TEST(Cidr, TakesALongPrefixForTheWholeAddress) {
  const auto make = [](const std::string& text) {
    return makeCidr(parse<envoy::config::core::v3::CidrRange>(text));
  };
  EXPECT_EQ(make("address_prefix: '10.1.2.3' prefix_len { value: 33 }")->toString(), "10.1.2.3/32");
  EXPECT_EQ(make("address_prefix: '10.1.2.3'")->toString(), "0.0.0.0/0");
  EXPECT_EQ(make("address_prefix: 'ten'").status().message(),
            ".address_prefix: malformed IP address: ten");
}

} // namespace
} // namespace culvert::match
