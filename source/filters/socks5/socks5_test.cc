// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/filters/socks5/messages.h"
#include "test/kit/filter_fixture.h"

namespace culvert::socks5 {
namespace {

constexpr char kConfig[] = "stat_prefix: 't'";

template <size_t kSize> std::string bytes(const char (&text)[kSize]) { return {text, kSize - 1}; }

const std::string kGreeting = bytes("\5\1\0");
const std::string kRequest = bytes("\5\1\0\1\12\0\0\11\37\220"); // 10.0.0.9:8080
const std::string kAccepted = bytes("\5\0\5\0\0\1\0\0\0\0\0\0");

TEST(Socks5, AClientSaysWhereItGoes) {
  FilterFixture filter("socks5", kConfig);
  filter.open();
  filter.fromPeer(kGreeting);
  EXPECT_EQ(filter.toPeer(), bytes("\5\0"));
  EXPECT_FALSE(filter.info().local_restored);
  filter.fromPeer(kRequest);
  EXPECT_EQ(filter.toPeer(), kAccepted);
  EXPECT_EQ(filter.info().local.toString(), "10.0.0.9:8080");
  EXPECT_TRUE(filter.info().local_restored);
  EXPECT_EQ(filter.info().direct_local.toString(), "10.0.0.2:80");
  filter.fromPeer("question");
  filter.fromBehind("answer");
  EXPECT_EQ(filter.toBehind(), "question");
  EXPECT_EQ(filter.toPeer(), kAccepted + "answer");
  EXPECT_EQ(filter.stat("socks5.t.negotiated"), 1u);
}

TEST(Socks5, AnIpv6AddressWillDo) {
  FilterFixture filter("socks5", kConfig);
  filter.open();
  filter.fromPeer(kGreeting + bytes("\5\1\0\4\375\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\120"));
  EXPECT_EQ(filter.info().local.toString(), "[fd00::2]:80");
}

TEST(Socks5, WhatFollowsInTheSameBytesGoesOn) {
  FilterFixture filter("socks5", kConfig);
  filter.open();
  filter.fromPeer(kGreeting + kRequest + "hello");
  filter.endFromPeer();
  EXPECT_EQ(filter.toPeer(), kAccepted);
  EXPECT_EQ(filter.toBehind(), "hello");
  EXPECT_TRUE(filter.endToBehind());
  EXPECT_FALSE(filter.isClosed()) << "the other direction goes on";
}

struct Refused {
  std::string sent;
  const char* why;
};
const std::vector<Refused> kRefused = {
    {bytes("\4\1\0\120\12\0\0\2\0"), "version"},
    {bytes("\5\1\2"), "method"},
    {bytes("\5\0"), "method"},
    {kGreeting + bytes("\4\1\0\1\12\0\0\2\0\120"), "version"},
    {kGreeting + bytes("\5\2\0\1\12\0\0\2\0\120"), "command"},
    {kGreeting + bytes("\5\1\0\2\12\0\0\2\0\120"), "address_type"},
    {kGreeting + bytes("\5\1\0\3\13example.org\0\120"), "name"},
    {kGreeting + bytes("\5\1\0\3\2\xff\xfe\0\120"), "name"},
    {kGreeting + bytes("\5\1\0\3\0\0\120"), "name"},
};

TEST(Socks5, OthersAreToldNo) {
  for (const Refused& one : kRefused) {
    FilterFixture filter("socks5", kConfig);
    filter.open();
    filter.fromPeer(one.sent);
    const bool greeted = one.sent.substr(0, 3) == kGreeting;
    EXPECT_EQ(filter.toPeer(), (greeted ? bytes("\5\0") : "") + bytes("\5\7\0\1\0\0\0\0\0\0"));
    EXPECT_EQ(filter.closed().detail, absl::StrCat("socks5_refused_", one.why));
    EXPECT_EQ(filter.info().termination_details, filter.closed().detail);
    EXPECT_EQ(filter.stat(absl::StrCat("socks5.t.refused_", one.why)), 1u) << one.why;
    EXPECT_EQ(filter.toBehind(), "");
  }
}

TEST(Socks5, HowTheBytesArriveMakesNoDifference) {
  std::vector<std::string> all = {kGreeting + kRequest + "hello"};
  for (const Refused& one : kRefused) {
    all.push_back(one.sent);
  }
  for (const std::string& sent : all) {
    FilterFixture whole("socks5", kConfig), single("socks5", kConfig);
    whole.open();
    whole.fromPeer(sent);
    single.open();
    for (size_t i = 0; i < sent.size() && !single.isClosed(); i++) {
      single.fromPeer(sent.substr(i, 1));
    }
    EXPECT_EQ(single.toPeer(), whole.toPeer());
    EXPECT_EQ(single.toBehind(), whole.toBehind());
    EXPECT_EQ(single.isClosed(), whole.isClosed());
    EXPECT_EQ(single.info().local, whole.info().local);
  }
}

TEST(Socks5, WhoEndsTooEarlyIsToldSo) {
  FilterFixture filter("socks5", kConfig);
  filter.open();
  filter.fromPeer(kGreeting + kRequest.substr(0, 9));
  filter.endFromPeer();
  EXPECT_EQ(filter.toPeer(), bytes("\5\0\5\1\0\1\0\0\0\0\0\0"));
  EXPECT_EQ(filter.closed().detail, "socks5_refused_ended");
}

TEST(Socks5, ANegotiationHasItsTime) {
  FilterFixture filter("socks5", kConfig);
  filter.open();
  filter.advance(std::chrono::seconds(9));
  filter.fromPeer(kGreeting);
  EXPECT_FALSE(filter.isClosed());
  filter.advance(std::chrono::seconds(1));
  EXPECT_EQ(filter.closed().detail, "socks5_refused_timeout");
  EXPECT_EQ(filter.stat("socks5.t.refused_timeout"), 1u);
}

TEST(Socks5, TheTimeIsForTheNegotiationOnly) {
  FilterFixture filter("socks5", "stat_prefix: 't' negotiation_timeout { seconds: 1 }");
  filter.open();
  filter.fromPeer(kGreeting + kRequest);
  filter.advance(std::chrono::hours(1));
  EXPECT_FALSE(filter.isClosed());

  FilterFixture patient("socks5", "stat_prefix: 't' negotiation_timeout {}");
  patient.open();
  patient.advance(std::chrono::hours(1));
  EXPECT_FALSE(patient.isClosed());
}

TEST(Socks5, AClientThatGoesLeavesNothing) {
  FilterFixture filter("socks5", kConfig);
  filter.open();
  filter.fromPeer(kGreeting);
  filter.resetFromPeer();
  EXPECT_TRUE(filter.isClosed());
  filter.advance(std::chrono::seconds(10));
  EXPECT_EQ(filter.stat("socks5.t.refused_timeout"), 0u);
}

} // namespace
} // namespace culvert::socks5
