// SPDX-License-Identifier: Apache-2.0
#include "source/config/bootstrap_parts.h"

#include <string>

#include "absl/strings/str_join.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "gtest/gtest.h"
#include "source/config/loader.h"

namespace culvert::config {
namespace {

class BootstrapPartsTest : public testing::Test {
protected:
  void load(const std::string& yaml) {
    loadText(yaml, Format::kYaml, "lab.yaml", bootstrap_, problems_);
    EXPECT_TRUE(problems_.ok()) << errors();
  }
  std::string errors() const { return absl::StrJoin(problems_.errorLines(), "\n"); }

  envoy::config::bootstrap::v3::Bootstrap bootstrap_;
  Problems problems_;
};

TEST_F(BootstrapPartsTest, RuntimeKeysAreJoinedWithDots) {
  load("layered_runtime: {layers: [{name: base, static_layer: {a: {b: {c: 7}, d: true}, s: x, "
       "f: {numerator: 3, denominator: MILLION}}}, {name: admin, admin_layer: {}}]}");
  const runtime::Config config = readRuntime(bootstrap_, problems_);
  ASSERT_EQ(config.layers.size(), 2u);
  const runtime::Entries& entries = config.layers[0].entries;
  EXPECT_EQ(entries.at("a.b.c").integer, 7u);
  EXPECT_EQ(entries.at("a.d").boolean, true);
  EXPECT_EQ(entries.at("s").text, "x");
  EXPECT_EQ(entries.at("f").fraction->denominator, 1000000u);
  EXPECT_EQ(config.layers[1].kind, runtime::LayerConfig::Kind::kAdmin);
}

TEST_F(BootstrapPartsTest, RuntimeRefusesWhatIsNoValue) {
  load("layered_runtime: {layers: [{name: base, static_layer: {a: {x: [1]}}}]}");
  readRuntime(bootstrap_, problems_);
  EXPECT_NE(errors().find("layered_runtime.layers[0].static_layer.a.x"), std::string::npos);
  EXPECT_NE(errors().find("Invalid runtime entry value for a.x"), std::string::npos) << errors();
}

TEST_F(BootstrapPartsTest, LogFormatIsTextOrJson) {
  load("application_log_config: {log_format: {text_format: 'X %v'}}");
  EXPECT_EQ(readLogFormat(bootstrap_, false, problems_), "X %v");
  load("application_log_config: {log_format: {json_format: {m: '%j'}}}");
  EXPECT_EQ(readLogFormat(bootstrap_, false, problems_), R"({"m":"%j"})");
  EXPECT_TRUE(problems_.ok()) << errors();
}

TEST_F(BootstrapPartsTest, LogFormatIsSaidOnlyOnce) {
  load("application_log_config: {log_format: {text_format: 'X %v'}}");
  readLogFormat(bootstrap_, true, problems_);
  EXPECT_NE(errors().find("Only one of ApplicationLogConfig.log_format or CLI option"),
            std::string::npos);
}

TEST_F(BootstrapPartsTest, JsonLogsEscapeTheirMessage) {
  load("application_log_config: {log_format: {json_format: {m: '%v'}}}");
  readLogFormat(bootstrap_, false, problems_);
  EXPECT_NE(errors().find("Usage of %v is unavailable for JSON log formats"), std::string::npos);
}

TEST_F(BootstrapPartsTest, StatsConfigIsTranslated) {
  load("stats_config: {stats_tags: [{tag_name: lab, fixed_value: x}], "
       "use_all_default_tags: false, "
       "stats_matcher: {inclusion_list: {patterns: [{prefix: tcp.}]}}, "
       "histogram_bucket_settings: [{match: {suffix: _ms}, buckets: [1, 5]}]}");
  const stats::StoreConfig config = readStatsConfig(bootstrap_, problems_);
  EXPECT_TRUE(problems_.ok()) << errors();
  EXPECT_EQ(config.tags[0].fixed_value, "x");
  EXPECT_FALSE(config.use_all_default_tags);
  EXPECT_EQ(config.matcher.kind, stats::StatsMatcher::Kind::kInclusionList);
  EXPECT_EQ(config.histogram_buckets[0].buckets, (std::vector<double>{1, 5}));
}

} // namespace
} // namespace culvert::config
