// SPDX-License-Identifier: Apache-2.0
#include "gtest/gtest.h"
#include "source/mesh/ip.h"
#include "source/mesh/port_map.h"
#include "source/mesh/ref.h"
#include "source/mesh/text.h"

namespace culvert::mesh {
namespace {

Ip ip(absl::string_view text) { return *Ip::parse(text); }

TEST(TextTest, EqualTextsOfAPoolAreKeptOnce) {
  TextPool pool;
  const Text a = pool.intern("node-a");
  const Text b = pool.intern("node-a");
  EXPECT_EQ(a.view().data(), b.view().data());
  EXPECT_EQ(pool.size(), 1u);
  EXPECT_EQ(a, Text::copy("node-a"));
  EXPECT_EQ(pool.intern(""), Text());
}

TEST(TextTest, ThePoolForgetsWhatNobodyUses) {
  TextPool pool;
  const Text kept = pool.intern("kept");
  pool.intern("dropped");
  pool.sweep();
  EXPECT_EQ(pool.size(), 1u);
  for (int i = 0; i < 5000; i++) {
    pool.intern(std::to_string(i));
  }
  EXPECT_LT(pool.size(), 2000u);
}

TEST(IpTest, HasFourBytesOrSixteen) { // T-31
  EXPECT_EQ(Ip::fromBytes(absl::string_view("\x7f\0\0\1", 4))->toString(), "127.0.0.1");
  EXPECT_EQ(Ip::fromBytes(std::string(15, '\0') + '\1')->toString(), "::1");
  for (const size_t size : {0, 1, 3, 5, 15, 17}) {
    EXPECT_FALSE(Ip::fromBytes(std::string(size, 'x')).has_value()) << size;
  }
}

TEST(IpTest, AMappedAddressIsTheIpv4One) {
  EXPECT_EQ(ip("::ffff:10.0.0.1"), ip("10.0.0.1"));
  EXPECT_TRUE(ip("::ffff:10.0.0.1").isV4());
  EXPECT_EQ(ip("10.0.0.1").withPort(80).toString(), "10.0.0.1:80");
  EXPECT_EQ(ip("fd00::5").withPort(80).toString(), "[fd00::5]:80");
}

TEST(IpBlockTest, ContainsAddressesOfItsFamily) {
  const IpBlock block = *IpBlock::parse("10.1.2.3/12"); // Host bits do not matter.
  EXPECT_TRUE(block.contains(ip("10.15.0.1")));
  EXPECT_FALSE(block.contains(ip("10.16.0.1")));
  EXPECT_TRUE(IpBlock::parse("fd00::/9")->contains(ip("fd7f::1")));
  EXPECT_FALSE(IpBlock::parse("fd00::/9")->contains(ip("fd80::1")));
  EXPECT_FALSE(IpBlock::parse("::/0")->contains(ip("10.0.0.1")));
  EXPECT_FALSE(IpBlock::parse("0.0.0.0/0")->contains(ip("::1")));
  EXPECT_TRUE(IpBlock::parse("0.0.0.0/0")->contains(ip("255.1.1.1")));
  EXPECT_TRUE(IpBlock::parse("10.0.0.1/32")->whole());
  EXPECT_FALSE(IpBlock::parse("10.0.0.1/32")->contains(ip("10.0.0.2")));
}

TEST(IpBlockTest, RefusesWhatIsNone) {
  for (const char* text : {"10.0.0.0", "10.0.0.0/33", "fd00::/129", "x/8", "10.0.0.0/-1", "/8"}) {
    EXPECT_FALSE(IpBlock::parse(text).ok()) << text;
  }
  EXPECT_EQ(IpBlock::parse("fd00::/8")->toString(), "fd00::/8");
}

TEST(PortMapTest, FindsWhatItMaps) {
  TextPool pool;
  const PortMap map = PortMap::create({{443, 8443}, {80, 8080}, {9, 0}, {80, 8081}}, pool);
  EXPECT_EQ(map.find(80), 8081);
  EXPECT_EQ(map.find(443), 8443);
  EXPECT_EQ(map.find(9), 0);
  EXPECT_EQ(map.find(10), std::nullopt);
  EXPECT_EQ(map.pairs(), (PortMap::Pairs{{9, 0}, {80, 8081}, {443, 8443}}));
  EXPECT_EQ(PortMap().find(80), std::nullopt);
}

struct Thing : Counted<Thing> {
  explicit Thing(int* living) : living_(living) { ++*living_; }
  ~Thing() { --*living_; }
  int* living_;
};

TEST(RefTest, TheLastOneEndsIt) {
  int living = 0;
  Ref<const Thing> a = Ref<Thing>(new Thing(&living));
  {
    const Ref<const Thing> b(a.get());
    a = nullptr;
    EXPECT_EQ(living, 1);
  }
  EXPECT_EQ(living, 0);
}

} // namespace
} // namespace culvert::mesh
