// SPDX-License-Identifier: Apache-2.0
#include "source/config/problems.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace culvert::config {
namespace {

TEST(Problems, LineHasPathPlaceTextAndEnvoysSentence) {
  Problems problems;
  problems.sources().beginFile("lab.yaml");
  problems.sources().add("admin.address", {3, 5});
  problems.error("admin.address", "no such host", "malformed IP address: x");
  EXPECT_EQ(problems.errorLines().at(0),
            "admin.address (lab.yaml:3:5): no such host. Envoy says: malformed IP address: x");
}

TEST(Problems, UnwrittenFieldHasThePlaceOfWhatIsAroundIt) {
  Problems problems;
  problems.sources().beginFile("lab.yaml");
  problems.sources().add("static_resources.clusters[1]", {9, 5});
  problems.error("static_resources.clusters[1].load_assignment.endpoints[0]", "must be set");
  EXPECT_EQ(problems.all().at(0).line, 9);
  EXPECT_EQ(problems.all().at(0).column, 5);
}

TEST(Problems, MapKeysMayHoldDots) {
  Problems problems;
  problems.sources().beginFile("lab.yaml");
  problems.sources().add("metadata.filter_metadata[envoy.lb]", {7, 1});
  problems.error("metadata.filter_metadata[envoy.lb].canary", "wrong");
  EXPECT_EQ(problems.all().at(0).line, 7);
}

TEST(Problems, LinesAreInTheOrderOfTheFile) {
  Problems problems;
  problems.sources().beginFile("lab.yaml");
  problems.errorAt({8, 1}, "b", "second");
  problems.errorAt({2, 4}, "a", "first");
  EXPECT_EQ(problems.errorLines().at(0), "a (lab.yaml:2:4): first");
  EXPECT_EQ(problems.errorLines().at(1), "b (lab.yaml:8:1): second");
}

TEST(Problems, WarningsAreNoErrors) {
  Problems problems;
  problems.warning("watchdogs", "not run");
  EXPECT_TRUE(problems.ok());
  EXPECT_TRUE(problems.status().ok());
  EXPECT_TRUE(problems.errorLines().empty());
  EXPECT_EQ(problems.warningLines().at(0), "watchdogs: not run");
}

TEST(Problems, UnknownFieldsAreWarningsWhereAllowed) {
  Problems strict;
  EXPECT_TRUE(strict.unknownField("a.b", "unknown", "E"));
  EXPECT_FALSE(strict.ok());

  Problems lenient;
  lenient.allowUnknownFields();
  EXPECT_FALSE(lenient.unknownField("a.b", "unknown", "E"));
  EXPECT_TRUE(lenient.ok());
  EXPECT_EQ(lenient.warningLines(), std::vector<std::string>{"a.b: unknown"});
  EXPECT_EQ(lenient.unknownFields(), 1u);
}

TEST(Problems, KeepsABoundedNumberAndCountsTheRest) {
  Problems problems;
  for (size_t i = 0; i < Problems::kProblemsMax + 5; i++) {
    problems.error(absl::StrCat("a", i), "wrong");
  }
  EXPECT_EQ(problems.all().size(), Problems::kProblemsMax);
  EXPECT_EQ(problems.errors(), Problems::kProblemsMax + 5);
  EXPECT_EQ(problems.errorLines().back(), "... and 5 more of them");
}

TEST(Problems, HostileTextStaysOneBoundedLine) {
  Problems problems;
  problems.error("a", absl::StrCat("x\ny\x1b[31m", std::string(10'000, 'z')));
  const std::string line = problems.errorLines().at(0);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_LT(line.size(), 5000U);
}

TEST(Problems, StatusHoldsEveryLine) {
  Problems problems;
  problems.error("a", "wrong");
  problems.error("b", "also wrong?", "so it is");
  EXPECT_EQ(problems.status().message(), "a: wrong\nb: also wrong? Envoy says: so it is");
}

} // namespace
} // namespace culvert::config
