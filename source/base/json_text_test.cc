// SPDX-License-Identifier: Apache-2.0
#include "source/base/json_text.h"

#include "gtest/gtest.h"

namespace culvert::base {
namespace {

TEST(JsonText, StringsAreWhatEveryParserReads) {
  EXPECT_EQ(jsonString("it's a \"b\\c\"\n\x01"), R"("it's a \"b\\c\"\n\u0001")");
  EXPECT_EQ(jsonString("\xc3\xa9"), "\"\xc3\xa9\"");
  EXPECT_EQ(jsonString("\xff'"), "\"\\u00ff'\"");
}

TEST(JsonText, NumbersAreTheShortestThatReadBackTheSame) {
  std::string text;
  appendJsonNumber(0.1, text);
  appendJsonNumber(1.0 / 0.0, text);
  EXPECT_EQ(text, "0.1null");
}

} // namespace
} // namespace culvert::base
