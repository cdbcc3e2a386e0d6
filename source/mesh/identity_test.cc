// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/identity.h"

#include "gtest/gtest.h"

namespace culvert::mesh {
namespace {

TEST(IdentityTest, IsReadAndPrintedBack) {
  const auto identity = Identity::parse("spiffe://cluster.local/ns/shop/sa/cart");
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(identity->trust_domain, "cluster.local");
  EXPECT_EQ(identity->ns, "shop");
  EXPECT_EQ(identity->service_account, "cart");
  EXPECT_EQ(identity->toString(), "spiffe://cluster.local/ns/shop/sa/cart");
  EXPECT_EQ(identity->principal(), "cluster.local/ns/shop/sa/cart");
}

TEST(IdentityTest, PartsMayBeEmpty) {
  const auto identity = Identity::parse("spiffe:///ns//sa/");
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(*identity, Identity());
  EXPECT_EQ(identity->toString(), "spiffe:///ns//sa/");
}

TEST(IdentityTest, AnythingElseIsNone) {
  for (const char* text :
       {"", "spiffe://", "spiffe://td", "spiffe://td/ns/n", "spiffe://td/ns/n/sa",
        "spiffe://td/ns/n/sa/s/", "spiffe://td/ns/n/sa/s/more", "spiffe://td/sa/s/ns/n",
        "SPIFFE://td/ns/n/sa/s", "https://td/ns/n/sa/s", "td/ns/n/sa/s"}) {
    EXPECT_FALSE(Identity::parse(text).has_value()) << text;
  }
}

TEST(IdentityTest, APeerIsTheFirstOfItsNamesThatIsOne) {
  EXPECT_EQ(
      firstIdentity({"https://x", "spiffe://a/ns/b/sa/c", "spiffe://d/ns/e/sa/f"})->principal(),
      "a/ns/b/sa/c");
  EXPECT_FALSE(firstIdentity({"https://x"}).has_value());
}

TEST(IdentityTest, AnyNameAgainstAnyExpectation) {
  const std::vector<Identity> expected = {*Identity::parse("spiffe://td/ns/n/sa/a"),
                                          *Identity::parse("spiffe://td/ns/n/sa/b")};
  EXPECT_TRUE(isExpected({"spiffe://td/ns/n/sa/z", "spiffe://td/ns/n/sa/b"}, expected));
  EXPECT_FALSE(isExpected({"spiffe://other/ns/n/sa/b", "spiffe://td/ns/n/sa/z"}, expected));
  EXPECT_FALSE(isExpected({"spiffe://td/ns/n/sa/b"}, {})); // Nobody is expected.
}

TEST(IdentityTest, TheTrustDomainIsThatOfAnyName) {
  EXPECT_TRUE(isOfTrustDomain({"https://x", "spiffe://td/ns/n/sa/b"}, "td"));
  EXPECT_FALSE(isOfTrustDomain({"spiffe://td2/ns/n/sa/b"}, "td"));
  EXPECT_FALSE(isOfTrustDomain({}, ""));
}

} // namespace
} // namespace culvert::mesh
