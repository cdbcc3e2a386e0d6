// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/access_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "google/protobuf/util/json_util.h"
#include "source/access_log/entry_for_test.h"
#include "source/access_log/file_manager.h"
#include "source/access_log/logger_factory.h"
#include "source/access_log/metadata_proto.h"

namespace culvert::access_log {
namespace {

using envoy::config::accesslog::v3::AccessLog;
using envoy::extensions::access_loggers::file::v3::FileAccessLog;
constexpr auto kCategory = registry::Category::kAccessLogger;

class AccessLogTest : public ::testing::Test {
protected:
  AccessLogTest() { registerAccessLoggers(registry_); }
  ~AccessLogTest() override { std::filesystem::remove(path_); }

  // `file` is what a FileAccessLog says, `filter` an AccessLogFilter, both as JSON.
  absl::StatusOr<Loggers> make(const std::string& file, const std::string& filter = "") {
    FileAccessLog config;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(file, &config).ok()) << file;
    AccessLog entry;
    entry.set_name("x");
    entry.mutable_typed_config()->PackFrom(config);
    if (!filter.empty()) {
      const auto parsed =
          google::protobuf::util::JsonStringToMessage(filter, entry.mutable_filter());
      EXPECT_TRUE(parsed.ok()) << parsed.ToString();
    }
    google::protobuf::RepeatedPtrField<AccessLog> configs;
    *configs.Add() = entry;
    return create(configs, context_);
  }

  std::string error(const std::string& file, const std::string& filter = "") {
    return std::string(make(file, filter).status().message());
  }
  std::string filterError(const std::string& filter) { return error(file("x"), filter); }

  std::string file(const std::string& format) {
    return absl::StrCat(R"({"path":")", path_, R"(","log_format":{"text_format":")", format,
                        R"("}})");
  }

  // What a session leaves in the file.
  std::string logged(const TestSession& session, const std::string& file,
                     const std::string& filter = "") {
    const auto loggers = make(file, filter);
    EXPECT_TRUE(loggers.ok()) << loggers.status();
    for (const auto& logger : *loggers)
      logger->log(session.entry());
    files_.flushAll();
    std::ifstream stream(path_, std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(stream),
                              std::istreambuf_iterator<char>()};
    std::ofstream(path_).close(); // Empties it for the next.
    return content;
  }
  bool passes(const std::string& filter, const TestSession& session = {}) {
    return logged(session, file("x"), filter) == "x";
  }

  const std::string path_ =
      absl::StrCat(::testing::TempDir(), "/access_log_test_", ::getpid(), ".log");
  stats::Store store_{1, {}};
  registry::Registry registry_;
  FileManager files_{store_.root(), std::chrono::hours(1)};
  Context context_{registry_, files_, nullptr};
};

TEST_F(AccessLogTest, KnowsEnvoysNamesOldAndNew) {
  for (const char* name :
       {"envoy.access_loggers.file", "envoy.access_loggers.stdout", "envoy.access_loggers.stderr",
        "envoy.file_access_log", "envoy.stdout_access_log", "envoy.stderr_access_log"})
    EXPECT_NE(registry_.findByName(kCategory, name), nullptr) << name;
}

TEST_F(AccessLogTest, WritesToAFileInEachOfItsFormats) {
  const auto with = [&](const std::string& format) {
    return logged({}, absl::StrCat(R"({"path":")", path_, R"(")", format, "}"));
  };
  const std::string line = with("");
  EXPECT_EQ(line.substr(0, 35), "[2026-11-21T09:57:16.011Z] \"- - -\" ");
  EXPECT_EQ(with(R"(,"format":"")"), line);
  EXPECT_EQ(with(R"(,"format":"%BYTES_SENT%\n")"), "5\n");
  EXPECT_EQ(with(R"(,"json_format":{"a":"%BYTES_SENT%"})"), "{\"a\":5}\n");
  EXPECT_EQ(with(R"(,"typed_json_format":{"a":"%BYTES_SENT%"})"), "{\"a\":5}\n");
  EXPECT_EQ(with(R"(,"log_format":{"text_format_source":{"inline_string":"%DURATION%"}})"), "1");
}

TEST_F(AccessLogTest, SaysWhichFieldIsWrong) {
  EXPECT_EQ(error(R"({"path":"/nonexist/dir/a.log"})"),
            "[0].typed_config.path: unable to open file '/nonexist/dir/a.log': "
            "No such file or directory");
  EXPECT_EQ(error(R"({"path":"/dev/null","format":"%NOPE%"})"),
            "[0].typed_config.format: Not supported field in StreamInfo: NOPE");
  EXPECT_EQ(error(R"({"path":"/dev/null","json_format":{"a":{"b":"%NOPE%"}}})"),
            "[0].typed_config.json_format.a.b: Not supported field in StreamInfo: NOPE");
  EXPECT_EQ(error(file("%NOPE%")),
            "[0].typed_config.log_format.text_format: Not supported field in StreamInfo: NOPE");
}

TEST_F(AccessLogTest, RefusesLoggersThatItHasNot) {
  google::protobuf::RepeatedPtrField<AccessLog> configs;
  configs.Add()->set_name("envoy.access_loggers.stdout");
  EXPECT_EQ(create(configs, context_).status().message(),
            "[0].typed_config: Didn't find a registered implementation for "
            "'envoy.access_loggers.stdout' with type URL: ''");
  configs[0].mutable_typed_config()->set_type_url("type.googleapis.com/a.b.C");
  EXPECT_EQ(create(configs, context_).status().message(),
            "[0].typed_config: Didn't find a registered implementation for "
            "'envoy.access_loggers.stdout' with type URL: 'a.b.C'");
}

TEST_F(AccessLogTest, MakesStreamsOfThisProcess) {
  google::protobuf::RepeatedPtrField<AccessLog> configs;
  for (const char* stream : {"Stdout", "Stderr"}) {
    configs.Add()->mutable_typed_config()->set_type_url(absl::StrCat(
        "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.", stream, "AccessLog"));
  }
  const auto loggers = create(configs, context_);
  ASSERT_TRUE(loggers.ok()) << loggers.status();
  EXPECT_EQ(loggers->size(), 2u);
}

TEST_F(AccessLogTest, FiltersByResponseFlag) {
  TestSession failed;
  failed.refuse();
  EXPECT_FALSE(passes(R"({"response_flag_filter":{}})"));
  EXPECT_TRUE(passes(R"({"response_flag_filter":{}})", failed));
  EXPECT_TRUE(passes(R"({"response_flag_filter":{"flags":["UH","UF"]}})", failed));
  EXPECT_FALSE(passes(R"({"response_flag_filter":{"flags":["UH","DC"]}})", failed));
  EXPECT_EQ(filterError(R"({"response_flag_filter":{"flags":["UH","XX"]}})"),
            "[0].filter.response_flag_filter.flags[1]: unknown flag 'XX'");
}

std::string comparison(const std::string& filter, const std::string& op, int value) {
  return absl::StrCat(R"({")", filter, R"(":{"comparison":{"op":")", op,
                      R"(","value":{"default_value":)", value, R"(,"runtime_key":"key"}}}})");
}

TEST_F(AccessLogTest, FiltersByDurationInMilliseconds) {
  EXPECT_TRUE(passes(comparison("duration_filter", "GE", 1)));
  EXPECT_FALSE(passes(comparison("duration_filter", "GE", 2)));
  EXPECT_TRUE(passes(comparison("duration_filter", "LE", 1)));
  EXPECT_TRUE(passes(comparison("duration_filter", "EQ", 1)));
  EXPECT_TRUE(passes(comparison("duration_filter", "NE", 7)));
}

TEST_F(AccessLogTest, SeesResponseCodeZero) {
  EXPECT_FALSE(passes(comparison("status_code_filter", "GE", 200)));
  EXPECT_TRUE(passes(comparison("status_code_filter", "LE", 500)));
}

TEST_F(AccessLogTest, FiltersByType) {
  EXPECT_TRUE(passes(R"({"log_type_filter":{"types":["TcpConnectionEnd"]}})"));
  EXPECT_FALSE(passes(R"({"log_type_filter":{"types":["NotSet","TcpPeriodic"]}})"));
  EXPECT_FALSE(passes(R"({"log_type_filter":{"types":["TcpConnectionEnd"],"exclude":true}})"));
  for (const Type type : {Type::kNotSet, Type::kTcpConnectionStart, Type::kTcpUpstreamConnected,
                          Type::kTcpPeriodic, Type::kTcpConnectionEnd}) {
    TestSession session;
    session.type = type;
    EXPECT_TRUE(
        passes(absl::StrCat(R"({"log_type_filter":{"types":[")", name(type), R"("]}})"), session));
  }
}

TEST_F(AccessLogTest, SamplesAllLinesOfAConnectionAlike) {
  const auto sample = [](int percent) {
    return absl::StrCat(R"({"runtime_filter":{"runtime_key":"k","percent_sampled":{"numerator":)",
                        percent, "}}}");
  };
  EXPECT_TRUE(passes(sample(100)));
  EXPECT_FALSE(passes(sample(0)));
  int passed = 0;
  for (uint64_t id = 0; id < 200; id++) {
    TestSession session;
    session.info.id = id;
    const bool once = passes(sample(50), session);
    EXPECT_EQ(passes(sample(50), session), once);
    passed += once;
  }
  EXPECT_GT(passed, 60);
  EXPECT_LT(passed, 140);
}

TEST_F(AccessLogTest, FollowsRuntimeKeys) {
  uint64_t value = 100;
  std::string watched;
  context_.watch_runtime = [&](const std::string& key, uint64_t fallback) {
    watched = absl::StrCat(key, " ", fallback);
    return [&value] { return value; };
  };
  EXPECT_TRUE(passes(R"({"runtime_filter":{"runtime_key":"k"}})"));
  EXPECT_EQ(watched, "k 0");
  value = 0;
  EXPECT_FALSE(passes(R"({"runtime_filter":{"runtime_key":"k"}})"));
  EXPECT_TRUE(passes(comparison("duration_filter", "GE", 77)));
  EXPECT_EQ(watched, "key 77");
}

TEST_F(AccessLogTest, CombinesFilters) {
  const std::string yes = R"({"not_health_check_filter":{}})";
  const std::string no = R"({"traceable_filter":{}})";
  const auto both = [&](const std::string& how) {
    return absl::StrCat(R"({")", how, R"(":{"filters":[)", yes, ",", no, "]}}");
  };
  EXPECT_FALSE(passes(both("and_filter")));
  EXPECT_TRUE(passes(both("or_filter")));
  EXPECT_EQ(filterError(R"({"or_filter":{"filters":[{"traceable_filter":{}},
                            {"response_flag_filter":{"flags":["XX"]}}]}})"),
            "[0].filter.or_filter.filters[1].response_flag_filter.flags[0]: unknown flag 'XX'");
}

TEST_F(AccessLogTest, SeesOfHttpWhatEnvoySees) {
  EXPECT_TRUE(passes(R"({"grpc_status_filter":{"statuses":["UNKNOWN"]}})"));
  EXPECT_FALSE(passes(R"({"grpc_status_filter":{"statuses":["OK"]}})"));
  EXPECT_TRUE(passes(R"({"grpc_status_filter":{"statuses":["OK"],"exclude":true}})"));
  EXPECT_FALSE(passes(R"({"header_filter":{"header":{"name":"x"}}})"));
  EXPECT_FALSE(passes(R"({"header_filter":{"header":{"name":"x","present_match":true}}})"));
  EXPECT_TRUE(passes(R"({"header_filter":{"header":{"name":"x","present_match":false}}})"));
  EXPECT_TRUE(passes(
      R"({"header_filter":{"header":{"name":"x","present_match":true,"invert_match":true}}})"));
  EXPECT_FALSE(passes(R"({"header_filter":{"header":
      {"name":"x","string_match":{"exact":"a"},"invert_match":true}}})"));
}

TEST_F(AccessLogTest, FiltersByDynamicMetadata) {
  TestSession session;
  session.info.mutableDynamicMetadata().set(
      "ns",
      {{"s", {"Hello"}}, {"n", {5.0}}, {"b", {true}}, {"l", {net::Value::List{{1.0}, {"x"}}}}});
  const auto match = [&](const std::string& key, const std::string& value) {
    return passes(absl::StrCat(R"({"metadata_filter":{"matcher":{"filter":"ns","path":[{"key":")",
                               key, R"("}],"value":)", value, "}}}"),
                  session);
  };
  EXPECT_TRUE(match("s", R"({"string_match":{"exact":"Hello"}})"));
  EXPECT_FALSE(match("s", R"({"string_match":{"exact":"hello"}})"));
  EXPECT_TRUE(match("s", R"({"string_match":{"prefix":"he","ignore_case":true}})"));
  EXPECT_TRUE(match("s", R"({"string_match":{"suffix":"LO","ignore_case":true}})"));
  EXPECT_TRUE(match("s", R"({"string_match":{"contains":"ELL","ignore_case":true}})"));
  EXPECT_TRUE(match("s", R"({"string_match":{"safe_regex":{"regex":"H.*o"}}})"));
  EXPECT_TRUE(match("n", R"({"double_match":{"exact":5}})"));
  EXPECT_FALSE(match("n", R"({"double_match":{"range":{"start":1,"end":5}}})"));
  EXPECT_TRUE(match("b", R"({"bool_match":true})"));
  EXPECT_FALSE(match("b", R"({"null_match":{}})"));
  EXPECT_TRUE(match("l", R"({"list_match":{"one_of":{"string_match":{"exact":"x"}}}})"));
  EXPECT_TRUE(match("n", R"({"or_match":{"value_matchers":[{"bool_match":true},
                                                          {"present_match":true}]}})"));
  EXPECT_TRUE(match("none", R"({"present_match":true})"));
  EXPECT_TRUE(passes(R"({"metadata_filter":{}})"));
  EXPECT_FALSE(passes(R"({"metadata_filter":{"match_if_key_not_found":false}})"));
  EXPECT_EQ(filterError(R"({"metadata_filter":{"matcher":{"filter":"ns","path":[{"key":"s"}],
                            "value":{"string_match":{"safe_regex":{"regex":"("}}}}}})"),
            "[0].filter.metadata_filter.matcher.value.string_match.safe_regex.regex: "
            "missing ): (");
}

TEST(MetadataProto, KeepsAllThatAStructCanHold) {
  envoy::config::core::v3::Metadata proto;
  EXPECT_EQ(toMetadata(proto), nullptr);
  const auto parsed = google::protobuf::util::JsonStringToMessage(
      R"({"filter_metadata":{"ns":{"s":"x","n":1.5,"b":true,"nul":null,"l":[1],"o":{"a":"b"}}}})",
      &proto);
  ASSERT_TRUE(parsed.ok()) << parsed.ToString();
  TestSession session;
  session.cluster->metadata = toMetadata(proto);
  std::string out;
  (*Formatter::text("%CLUSTER_METADATA(ns)%"))->append(session.entry(), out);
  EXPECT_EQ(out, R"({"b":true,"l":[1],"n":1.5,"nul":null,"o":{"a":"b"},"s":"x"})");
}

TEST_F(AccessLogTest, RefusesFiltersThatItHasNot) {
  EXPECT_EQ(filterError(R"({"extension_filter":{"name":"nope"}})"),
            "[0].filter.extension_filter: Didn't find a registered implementation for 'nope'");
}

} // namespace
} // namespace culvert::access_log
