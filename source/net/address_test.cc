// SPDX-License-Identifier: Apache-2.0
#include "source/net/address.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>
#include <vector>

#include "absl/hash/hash_testing.h"

namespace culvert::net {
namespace {

Address ip(absl::string_view text, uint16_t port = 0) { return *Address::parseIp(text, port); }

// Through the kernel's form and back.
Address again(const Address& address) {
  sockaddr_storage storage{};
  const socklen_t length = address.toSockaddr(storage);
  return Address::fromSockaddr(storage, length);
}

TEST(Address, PrintsAsEnvoyDoes) {
  EXPECT_EQ(ip("1.2.3.4", 80).toString(), "1.2.3.4:80");
  EXPECT_EQ(ip("::1", 80).toString(), "[::1]:80");
  EXPECT_EQ(ip("0:0::0:1", 80).ipString(), "::1");
  EXPECT_EQ(Address::pipe("/run/x.sock")->toString(), "/run/x.sock");
  EXPECT_EQ(Address::pipe("@x")->toString(), "@x");
  EXPECT_EQ(Address::internal("inner", "a").toString(), "envoy://inner/a");
  EXPECT_EQ(Address::internal("inner", "").toString(), "envoy://inner/");
  EXPECT_EQ(Address().toString(), "");
}

TEST(Address, ReadsDigitsOnly) {
  for (const char* text : {"", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", ":::", "fe80::1%lo",
                           "1.2.3.4 ", "[::1]"}) {
    EXPECT_EQ(Address::parseIp(text, 0).status().message(),
              std::string("malformed IP address: ") + text);
  }
}

TEST(Address, ReadsAnAddressWithItsPort) {
  EXPECT_EQ(*Address::parseIpPort("1.2.3.4:80"), ip("1.2.3.4", 80));
  EXPECT_EQ(*Address::parseIpPort("[::1]:80"), ip("::1", 80));
  for (const char* text : {"1.2.3.4", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:65536", "1.2.3.4:-1", ""}) {
    EXPECT_FALSE(Address::parseIpPort(text).ok()) << text;
  }
}

TEST(Address, IsMadeOfBytes) {
  EXPECT_EQ(Address::fromIpBytes("\1\2\3\4", 80), ip("1.2.3.4", 80));
  for (const char* text : {"2001:db8::1", "::1", "::"}) {
    EXPECT_EQ(Address::fromIpBytes(ip(text).ipBytes(), 80), ip(text, 80));
  }
  EXPECT_EQ(Address::fromIpBytes(ip("::ffff:1.2.3.4").ipBytes(), 80), ip("1.2.3.4", 80));
}

TEST(Address, SurvivesTheKernelsForm) {
  for (const Address& address :
       {ip("1.2.3.4", 80), ip("2001:db8::1", 65535), *Address::pipe("/run/x.sock"),
        *Address::pipe("@x"), *Address::pipe("@")}) {
    EXPECT_EQ(again(address), address) << address.toString();
  }
}

TEST(Address, TellsAnUnnamedPipeFromAnAbstractOne) {
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  EXPECT_EQ(Address::fromSockaddr(storage, sizeof(sa_family_t)).toString(), "");
}

TEST(Address, IsIpv4WhenTheKernelMappedIt) {
  EXPECT_EQ(again(ip("::ffff:1.2.3.4", 80)), ip("1.2.3.4", 80));
}

TEST(Address, LimitsAPipesPath) {
  EXPECT_TRUE(Address::pipe(std::string(107, 'x')).ok());
  EXPECT_FALSE(Address::pipe(std::string(108, 'x')).ok());
  EXPECT_TRUE(Address::pipe("@" + std::string(107, 'x')).ok());
  EXPECT_FALSE(Address::pipe("").ok());
  EXPECT_EQ(Address::pipe(std::string(109, 'x')).status().message(),
            "Path \"" + std::string(109, 'x') +
                "\" exceeds maximum UNIX domain socket path size of 108.");
}

TEST(Address, KnowsWhatItIs) {
  EXPECT_TRUE(ip("0.0.0.0").isAny() && ip("::").isAny());
  EXPECT_FALSE(ip("0.0.0.1").isAny() || Address::pipe("/x")->isAny() || Address().isAny());
  EXPECT_TRUE(ip("127.0.0.9").isLoopback() && ip("::1").isLoopback());
  EXPECT_FALSE(ip("128.0.0.1").isLoopback() || ip("::2").isLoopback());
  EXPECT_EQ(ip("1.2.3.4").ipBytes(), absl::string_view("\1\2\3\4", 4));
  EXPECT_EQ(ip("::1").ipBytes().size(), 16u);
  EXPECT_EQ(Address::pipe("/x")->ipBytes().size(), 0u);
}

TEST(Address, MayTakeIpv4WhereItIsOneOfBothFamilies) {
  EXPECT_EQ(ip("::", 80).withIpv4()->withPort(81), ip("::", 81)) << "it is no part of who one is";
  EXPECT_TRUE(ip("::").withIpv4()->withPort(81).takesIpv4());
  EXPECT_TRUE(ip("::ffff:1.2.3.4").withIpv4().ok());
  for (const char* other : {"::1", "0.0.0.0", "1.2.3.4"}) {
    EXPECT_EQ(ip(other, 80).withIpv4().status().message(),
              "Only IPv6 address '::' or valid IPv4-mapped IPv6 address can set ipv4_compat: " +
                  ip(other, 80).toString());
  }
  EXPECT_FALSE(Address::pipe("/x")->withIpv4().ok());
}

TEST(Address, CoversWhatASocketThereAccepts) {
  const Address v4 = ip("1.2.3.4", 80);
  const Address v6 = ip("2001::1", 80);
  EXPECT_TRUE(ip("0.0.0.0", 80).covers(v4) && ip("::", 80).covers(v6) && v4.covers(v4));
  EXPECT_FALSE(ip("0.0.0.0", 81).covers(v4) || ip("0.0.0.0", 80).covers(v6));
  EXPECT_FALSE(ip("::", 80).covers(v4));
  EXPECT_TRUE(ip("::", 80).withIpv4()->covers(v4) && ip("::", 80).withIpv4()->covers(v6));
  EXPECT_TRUE(ip("::ffff:1.2.3.4", 80).withIpv4()->covers(v4));
  EXPECT_FALSE(ip("::ffff:1.2.3.5", 80).withIpv4()->covers(v4));
  EXPECT_FALSE(Address::pipe("/x")->covers(v4));
}

TEST(Address, DiffersByEverythingThatItHolds) {
  const std::vector<Address> all = {Address(),
                                    ip("1.2.3.4", 80),
                                    ip("1.2.3.4", 81),
                                    ip("1.2.3.5", 80),
                                    ip("::1.2.3.4", 80),
                                    *Address::pipe("/a"),
                                    *Address::pipe("@a"),
                                    Address::internal("a", ""),
                                    Address::internal("a", "b")};
  EXPECT_TRUE(absl::VerifyTypeImplementsAbslHashCorrectly(all));
  for (size_t i = 0; i < all.size(); i++) {
    for (size_t j = 0; j < all.size(); j++) {
      EXPECT_EQ(all[i] == all[j], i == j);
    }
  }
}

struct CidrCase {
  const char* ip;
  uint32_t bits;
  const char* inside;
  const char* outside;
};

TEST(Cidr, ContainsWhatSharesItsBits) {
  for (const CidrCase& c :
       {CidrCase{"10.0.0.0", 8, "10.255.0.1", "11.0.0.0"},
        CidrCase{"10.1.2.3", 8, "10.0.0.0", "9.255.255.255"},
        CidrCase{"10.0.0.128", 25, "10.0.0.129", "10.0.0.127"},
        CidrCase{"10.0.0.4", 31, "10.0.0.5", "10.0.0.6"},
        CidrCase{"10.0.0.4", 32, "10.0.0.4", "10.0.0.5"}, CidrCase{"0.0.0.0", 0, "255.1.1.1", "::"},
        CidrCase{"2001:db8::", 33, "2001:db8:7fff::1", "2001:db8:8000::"},
        CidrCase{"::1", 128, "::1", "::2"}, CidrCase{"::", 0, "ffff::", "1.2.3.4"}}) {
    const Cidr cidr = *Cidr::create(c.ip, c.bits);
    EXPECT_TRUE(cidr.contains(ip(c.inside, 80))) << cidr.toString();
    EXPECT_FALSE(cidr.contains(ip(c.outside, 80))) << cidr.toString();
    EXPECT_FALSE(cidr.contains(*Address::pipe("/x"))) << cidr.toString();
  }
}

TEST(Cidr, ClearsHostBits) {
  EXPECT_EQ(Cidr::create("10.1.2.3", 12)->toString(), "10.0.0.0/12");
  EXPECT_EQ(*Cidr::create("10.1.2.3", 8), *Cidr::create("10.9.9.9", 8));
  EXPECT_FALSE(*Cidr::create("10.0.0.0", 8) == *Cidr::create("10.0.0.0", 9));
}

TEST(Cidr, RefusesMoreBitsThanThereAre) {
  EXPECT_FALSE(Cidr::create("10.0.0.0", 33).ok());
  EXPECT_FALSE(Cidr::create("::", 129).ok());
  EXPECT_FALSE(Cidr::create("ten", 8).ok());
}

} // namespace
} // namespace culvert::net
