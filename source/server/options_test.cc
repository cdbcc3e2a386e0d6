// SPDX-License-Identifier: Apache-2.0
#include "source/server/options.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace culvert::server {
namespace {

std::variant<Options, Exit> parse(std::vector<std::string> flags) {
  flags.insert(flags.begin(), "culvert");
  return parseOptions(flags);
}

Options good(std::vector<std::string> flags) {
  auto result = parse(std::move(flags));
  if (const Exit* exit = std::get_if<Exit>(&result)) {
    ADD_FAILURE() << exit->err;
    return Options();
  }
  return std::get<Options>(result);
}

Exit exitOf(std::vector<std::string> flags) {
  auto result = parse(std::move(flags));
  const Exit* exit = std::get_if<Exit>(&result);
  EXPECT_NE(exit, nullptr);
  return exit == nullptr ? Exit{-1, "", ""} : *exit;
}

TEST(Options, RefusesWhatEnvoyRefusesInItsWords) {
  const struct {
    std::vector<std::string> flags;
    std::string text;
  } rows[] = {
      {{"--mode", "bogus"}, "unknown mode 'bogus'"},
      {{"-l", "bogus"}, "invalid log level specified 'bogus'"},
      {{"-l", ""}, "invalid log level specified ''"},
      {{"--component-log-level", "nope:debug"}, "invalid component specified 'nope'"},
      {{"--component-log-level", "nopenope"},
       "component log level not correctly specified 'nopenope'"},
      {{"--component-log-level", "admin:debug:x"},
       "component log level not correctly specified 'admin:debug:x'"},
      {{"--component-log-level", "admin:bogus"}, "invalid log level specified 'bogus'"},
      {{"--component-log-level", "admin:debug", "--enable-fine-grain-logging"},
       "--component-log-level will not work with --enable-fine-grain-logging"},
      {{"--local-address-ip-version", "v5"}, "unknown IP address version 'v5'"},
      {{"--stats-tag", "foo"}, "misformatted stats-tag 'foo'"},
      {{"--stats-tag", "a:"}, "misformatted stats-tag 'a:' contains invalid char in ''"},
      {{"--stats-tag", "a-b:c"}, "misformatted stats-tag 'a-b:c' contains invalid char in 'a-b'"},
      {{"--stats-tag", "ab:c.d"}, "misformatted stats-tag 'ab:c.d' contains invalid char in 'c.d'"},
      {{"--restart-epoch", "1", "--use-dynamic-base-id"},
       "cannot use --restart-epoch=1 with --use-dynamic-base-id"},
      {{"--drain-strategy", "foo"}, "unknown drain-strategy 'foo'"},
  };
  for (const auto& row : rows) {
    const Exit exit = exitOf(row.flags);
    EXPECT_EQ(exit.status, 1);
    EXPECT_EQ(exit.err, "error: " + row.text + "\n");
    EXPECT_EQ(exit.out, "");
  }
}

TEST(Options, RefusesWhatOnlyWeRefuse) {
  EXPECT_EQ(exitOf({"--concurrency", "-1"}).err,
            "error: --concurrency=4294967295 is more than 1024 threads\n");
}

TEST(Options, ShowsTheUsageBesideAParseError) {
  const struct {
    std::vector<std::string> flags;
    std::string text;
  } rows[] = {
      {{"--bogus"}, "Argument: --bogus\n             Couldn't find match for argument\n"},
      {{"foo"}, "Argument: foo\n             Couldn't find match for argument\n"},
      {{"--concurrency", "abc"},
       "Argument: (--concurrency)\n             Couldn't read argument value from string 'abc'\n"},
      {{"--mode"}, "Argument: (--mode)\n             Missing a value for this argument!\n"},
      {{"-c", "a", "-c", "b"},
       "Argument: -c (--config-path)\n             Argument already set!\n"},
  };
  for (const auto& row : rows) {
    const Exit exit = exitOf(row.flags);
    EXPECT_EQ(exit.status, 1);
    EXPECT_TRUE(absl::StartsWith(exit.err, "PARSE ERROR: " + row.text +
                                               "\nBrief USAGE: \n"
                                               "   culvert  [--stats-tag <string>] ... "))
        << exit.err;
    EXPECT_TRUE(
        absl::EndsWith(exit.err, "\nFor complete USAGE and HELP type: \n   culvert --help\n\n"));
  }
}

TEST(Options, PrintsVersionAndHelpOnStdout) {
  EXPECT_EQ(exitOf({"--version"}).out, "\nculvert  version: " + std::string(kVersion) + "\n\n");
  EXPECT_EQ(exitOf({"--version"}).status, 0);
  const Exit help = exitOf({"-h"});
  EXPECT_EQ(help.status, 0);
  EXPECT_TRUE(absl::StartsWith(help.out, "\nUSAGE: \n\n   culvert  [--stats-tag <string>] ... "));
  EXPECT_TRUE(absl::StrContains(help.out, "   -c <string>,  --config-path <string>\n"));
}

TEST(Options, PrintsTheHotRestartVersionOnStderr) {
  const Exit exit = exitOf({"--hot-restart-version"});
  EXPECT_EQ(exit.status, 0);
  EXPECT_EQ(exit.err, "culvert.1");
  EXPECT_EQ(exitOf({"--hot-restart-version", "--disable-hot-restart"}).err, "disabled");
}

TEST(Options, FillsInDefaults) {
  const Options options = good({"-c", "x.yaml"});
  EXPECT_EQ(options.config_path, "x.yaml");
  EXPECT_EQ(options.mode, Mode::kServe);
  EXPECT_GE(options.concurrency, 1u);
  EXPECT_EQ(options.log.level, base::LogLevel::info);
  EXPECT_EQ(options.log.format, base::log::kDefaultFormat);
  EXPECT_FALSE(options.log_format_set);
  EXPECT_EQ(options.drain_time_s, 600u);
  EXPECT_EQ(options.file_flush_interval_ms, 10000u);
  EXPECT_EQ(options.file_flush_min_size_kb, 64u);
  EXPECT_TRUE(options.warnings.empty());
}

TEST(Options, TakesWhatIsSaid) {
  const Options options = good({"--config-yaml",
                                "{}",
                                "--mode",
                                "init_only",
                                "--concurrency",
                                "0",
                                "-l",
                                "warn",
                                "--component-log-level",
                                "upstream:debug,main:off",
                                "--service-node",
                                "n",
                                "--stats-tag",
                                "a:b",
                                "--stats-tag",
                                "c::d",
                                "--drain-strategy",
                                "immediate",
                                "--log-format",
                                "%v"});
  EXPECT_EQ(options.config_yaml, "{}");
  EXPECT_EQ(options.mode, Mode::kInitOnly);
  EXPECT_EQ(options.concurrency, 1u);
  EXPECT_EQ(options.log.level, base::LogLevel::warning);
  ASSERT_EQ(options.component_log_levels.size(), 2u);
  EXPECT_EQ(options.component_log_levels[1].first, base::LogComponent::main);
  EXPECT_EQ(options.component_log_levels[1].second, base::LogLevel::off);
  EXPECT_EQ(options.service_node, "n");
  ASSERT_EQ(options.stats_tags.size(), 2u);
  EXPECT_EQ(options.stats_tags[1].second, ":d");
  EXPECT_EQ(options.drain_strategy, DrainStrategy::kImmediate);
  EXPECT_TRUE(options.log_format_set);
}

TEST(Options, AcceptsIdleFlagsWithOneWarningEach) {
  const Options options =
      good({"--enable-core-dump", "--socket-mode", "600", "--component-log-level", "http:debug",
            "--allow-unknown-fields", "--base-id", "7", "--disable-hot-restart"});
  EXPECT_EQ(options.socket_mode, 0600u);
  EXPECT_TRUE(options.allow_unknown_static_fields);
  EXPECT_EQ(options.warnings,
            (std::vector<std::string>{
                "there is no logger 'http' here", "--enable-core-dump has no effect",
                "--allow-unknown-fields is deprecated, use --allow-unknown-static-fields "
                "instead."}));
}

} // namespace
} // namespace culvert::server
