// SPDX-License-Identifier: Apache-2.0
#include "source/filters/socks5/messages.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace culvert::socks5 {
namespace {

using Kind = Message::Kind;

// Of literals with zeros in them.
template <size_t kSize> std::string bytes(const char (&text)[kSize]) { return {text, kSize - 1}; }

TEST(Socks5Messages, AGreetingOffersAMethodThatWillDo) {
  EXPECT_EQ(readGreeting(bytes("\5\1\0more")).bytes, 3u);
  EXPECT_EQ(readGreeting(bytes("\5\3\2\1\0")).bytes, 5u);
  EXPECT_EQ(readGreeting(bytes("\5\2\1")).kind, Kind::kNeedMore);
  for (const std::string& bad : {bytes("\5\0"), bytes("\5\2\1\2\0")}) {
    EXPECT_EQ(readGreeting(bad).kind, Kind::kWrong);
    EXPECT_EQ(readGreeting(bad).mistake, Mistake::kMethod);
  }
  EXPECT_EQ(readGreeting("GET /").mistake, Mistake::kVersion);
  EXPECT_EQ(readGreeting("").kind, Kind::kNeedMore);
}

TEST(Socks5Messages, ARequestNamesADestination) {
  const Message v4 = readRequest(bytes("\5\1\7\1\12\0\0\2\37\220more"));
  EXPECT_EQ(v4.bytes, 10u);
  EXPECT_EQ(v4.destination.toString(), "10.0.0.2:8080");
  const Message v6 = readRequest(bytes("\5\1\0\4\375\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\120"));
  EXPECT_EQ(v6.bytes, 22u);
  EXPECT_EQ(v6.destination.toString(), "[fd00::2]:80");
  const Message mapped = readRequest(bytes("\5\1\0\4\0\0\0\0\0\0\0\0\0\0\377\377\12\0\0\2\0\120"));
  EXPECT_EQ(mapped.destination.toString(), "10.0.0.2:80");
  const std::string named = bytes("\5\1\0\3\3a.b\0\120more");
  const Message name = readRequest(named);
  EXPECT_EQ(name.bytes, 10u);
  EXPECT_FALSE(name.destination.isIp());
  EXPECT_EQ(absl::StrCat(name.name, ":", name.port), "a.b:80");
}

TEST(Socks5Messages, TheLongestIsAName) {
  const std::string name =
      absl::StrCat(bytes("\5\1\0\3\377"), std::string(255, 'n'), bytes("\0\120"));
  EXPECT_EQ(name.size(), kMessageBytesMax);
  EXPECT_EQ(readRequest(name).bytes, kMessageBytesMax);
  for (size_t some = 0; some < name.size(); some++) {
    EXPECT_EQ(readRequest(name.substr(0, some)).kind, Kind::kNeedMore) << some;
  }
}

TEST(Socks5Messages, TheFirstMistakeCounts) {
  EXPECT_EQ(readRequest("\4").mistake, Mistake::kVersion);
  EXPECT_EQ(readRequest(bytes("\5\2")).mistake, Mistake::kCommand);
  EXPECT_EQ(readRequest(bytes("\5\0\0\2")).mistake, Mistake::kCommand);
  for (const char type : {'\0', '\2', '\5', '\377'}) {
    EXPECT_EQ(readRequest(bytes("\5\1\0") + type).mistake, Mistake::kAddressType);
  }
}

TEST(Socks5Messages, AReplySaysHowItEnded) {
  EXPECT_EQ(reply(ReplyCode::kSucceeded), bytes("\5\0\0\1\0\0\0\0\0\0"));
  EXPECT_EQ(reply(ReplyCode::kCommandNotSupported), bytes("\5\7\0\1\0\0\0\0\0\0"));
}

} // namespace
} // namespace culvert::socks5
