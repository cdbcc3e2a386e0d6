// SPDX-License-Identifier: Apache-2.0
#include "source/tls/san_matcher.h"

#include "gtest/gtest.h"

namespace culvert::tls {
namespace {

using Kind = match::StringMatch::Kind;

SanMatcher matcher(SanType type, Kind kind, absl::string_view text, bool ignore_case = false) {
  const std::string pattern(text);
  return SanMatcher(type, *match::StringMatch::create(kind, pattern, ignore_case),
                    kind == Kind::kExact ? std::optional(pattern) : std::nullopt);
}

bool matches(SanType type, Kind kind, absl::string_view text, absl::string_view san,
             bool ignore_case = false) {
  return matcher(type, kind, text, ignore_case).matches(type, san);
}

TEST(SanMatcherTest, ComparesTextInEachWay) {
  const absl::string_view san = "spiffe://lab.test/ns/default/sa/client";
  EXPECT_TRUE(matches(SanType::kUri, Kind::kExact, san, san));
  EXPECT_FALSE(matches(SanType::kUri, Kind::kExact, "spiffe://lab.test", san));
  EXPECT_TRUE(matches(SanType::kUri, Kind::kPrefix, "spiffe://lab.test/", san));
  EXPECT_FALSE(matches(SanType::kUri, Kind::kPrefix, "lab.test/", san));
  EXPECT_TRUE(matches(SanType::kUri, Kind::kSuffix, "/sa/client", san));
  EXPECT_FALSE(matches(SanType::kUri, Kind::kSuffix, "/sa", san));
  EXPECT_TRUE(matches(SanType::kUri, Kind::kContains, "default", san));
  EXPECT_FALSE(matches(SanType::kUri, Kind::kContains, "other", san));
  EXPECT_TRUE(matches(SanType::kUri, Kind::kRegex, "spiffe://lab\\.test/.*", san));
  EXPECT_FALSE(matches(SanType::kUri, Kind::kRegex, "lab\\.test", san)); // All of it must match.
}

TEST(SanMatcherTest, TypeMustBeTheSame) {
  const SanMatcher uri = matcher(SanType::kUri, Kind::kExact, "a");
  EXPECT_TRUE(uri.matches(SanType::kUri, "a"));
  EXPECT_FALSE(uri.matches(SanType::kDns, "a"));
}

TEST(SanMatcherTest, CaseIsIgnoredOnRequest) {
  EXPECT_FALSE(matches(SanType::kUri, Kind::kPrefix, "SPIFFE://", "spiffe://a"));
  EXPECT_TRUE(matches(SanType::kUri, Kind::kPrefix, "SPIFFE://", "spiffe://a", true));
  EXPECT_TRUE(matches(SanType::kEmail, Kind::kExact, "a@B.c", "A@b.C", true));
}

TEST(SanMatcherTest, ExactDnsNameIsCoveredByAWildcardOfTheCertificate) {
  EXPECT_TRUE(matches(SanType::kDns, Kind::kExact, "a.lab.test", "*.lab.test"));
  EXPECT_TRUE(matches(SanType::kDns, Kind::kExact, "A.lab.test", "a.LAB.test"));
  EXPECT_FALSE(matches(SanType::kDns, Kind::kExact, "a.b.lab.test", "*.lab.test"));
  EXPECT_FALSE(matches(SanType::kDns, Kind::kExact, "lab.test", "*.lab.test"));
  EXPECT_FALSE(matches(SanType::kDns, Kind::kSuffix, "a.lab.test", "*.lab.test"));
}

TEST(SanMatcherTest, WildcardStandsForPartOfTheFirstLabelOnly) {
  EXPECT_TRUE(dnsNameCovers("f*.lab.test", "foo.lab.test"));
  EXPECT_TRUE(dnsNameCovers("f*o.lab.test", "fxo.lab.test"));
  EXPECT_FALSE(dnsNameCovers("f*o.lab.test", "fo.lab.test"));
  EXPECT_FALSE(dnsNameCovers("a.*.test", "a.b.test"));
  EXPECT_FALSE(dnsNameCovers("**.lab.test", "ab.lab.test"));
  EXPECT_FALSE(dnsNameCovers("*.lab.test", "xn--a.lab.test"));
  EXPECT_FALSE(dnsNameCovers("*", "test"));
  EXPECT_FALSE(dnsNameCovers("", "test"));
}

TEST(SanMatcherTest, ANulByteEndsNothing) {
  EXPECT_FALSE(
      matches(SanType::kDns, Kind::kExact, "lab.test", absl::string_view("lab.test\0.evil", 14)));
  EXPECT_FALSE(
      matches(SanType::kUri, Kind::kSuffix, "lab.test", absl::string_view("lab.test\0", 9)));
}

} // namespace
} // namespace culvert::tls
