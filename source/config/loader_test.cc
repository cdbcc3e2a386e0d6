// SPDX-License-Identifier: Apache-2.0
#include "source/config/loader.h"

#include <cstdio>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

namespace culvert::config {
namespace {

using envoy::config::bootstrap::v3::Bootstrap;
using envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;

// What loading of a text brought.
struct Loaded {
  Bootstrap bootstrap;
  Problems problems;

  std::string errors() const { return absl::StrJoin(problems.errorLines(), "\n"); }
};

Loaded load(const std::string& text, Format format = Format::kYaml) {
  Loaded loaded;
  loadText(text, format, "lab.yaml", loaded.bootstrap, loaded.problems);
  return loaded;
}

// A proxy of one listener and one cluster with further lines in each.
std::string proxy(const std::string& listener, const std::string& filter = "",
                  const std::string& cluster = "") {
  return absl::StrReplaceAll(
      R"(static_resources:
  listeners:
  - name: l
    {listener}
    filter_chains:
    - filters:
      - name: tcp
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: t
          cluster: c
          {filter}
  clusters:
  - name: c
    {cluster}
)",
      {{"{listener}", listener}, {"{filter}", filter}, {"{cluster}", cluster}});
}

constexpr char kTcpPath[] =
    "static_resources.listeners[0].filter_chains[0].filters[0].typed_config";
constexpr char kTcpProxy[] = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";

TEST(LoadYaml, ReadsAWholeProxy) {
  Loaded loaded = load(proxy("bindToPort: yes", "idle_timeout: 0.25s", "lb_policy: LEAST_REQUEST"));
  ASSERT_TRUE(loaded.problems.ok()) << loaded.errors();
  const auto& listener = loaded.bootstrap.static_resources().listeners(0);
  EXPECT_TRUE(listener.bind_to_port().value());
  TcpProxy tcp;
  ASSERT_TRUE(listener.filter_chains(0).filters(0).typed_config().UnpackTo(&tcp));
  EXPECT_EQ(tcp.cluster(), "c");
  EXPECT_EQ(tcp.idle_timeout().nanos(), 250'000'000);
  EXPECT_EQ(loaded.bootstrap.static_resources().clusters(0).lb_policy(),
            envoy::config::cluster::v3::Cluster::LEAST_REQUEST);
}

TEST(LoadYaml, UnknownFieldsAreLeftOutWhereAllowed) {
  Loaded loaded;
  loaded.problems.allowUnknownFields();
  loadText("node: {id: n-1, idd: x}\nnope: 1", Format::kYaml, "lab.yaml", loaded.bootstrap,
           loaded.problems);
  EXPECT_TRUE(loaded.problems.ok()) << loaded.errors();
  EXPECT_EQ(loaded.problems.unknownFields(), 2u);
  EXPECT_EQ(loaded.bootstrap.node().id(), "n-1");
}

TEST(LoadYaml, MisspeltFieldIsNamedPlacedExplainedAndQuotedAsEnvoyDoes) {
  EXPECT_EQ(load(proxy("", "idle_timeuot: 3s")).errors(),
            absl::StrCat(kTcpPath, ".idle_timeuot (lab.yaml:12:11): unknown field of ", kTcpProxy,
                         "; did you mean 'idle_timeout'? Envoy says: Protobuf message (type "
                         "envoy.config.bootstrap.v3.Bootstrap reason INVALID_ARGUMENT: invalid "
                         "JSON in envoy.config.bootstrap.v3.Bootstrap @ ",
                         kTcpPath, ".<any>: message ", kTcpProxy,
                         ", near 12:11 (offset 272): no such field: 'idle_timeuot') has unknown "
                         "fields"));
}

TEST(LoadYaml, AllMistakesComeAtOnce) {
  const Loaded loaded = load(proxy("prot: 1", "idle_timeout: 5m", "lb_policy: ROUNDROBIN"));
  ASSERT_EQ(loaded.problems.errors(), 3U);
  EXPECT_EQ(loaded.problems.all()[0].path, "static_resources.listeners[0].prot");
  EXPECT_EQ(loaded.problems.all()[1].path, absl::StrCat(kTcpPath, ".idle_timeout"));
  EXPECT_EQ(loaded.problems.all()[2].path, "static_resources.clusters[0].lb_policy");
}

// One wrong line, and what must be said of it. The sentences are the real binary's.
struct Mistake {
  std::string name, listener, filter, cluster, said;
};

std::string sentence(const std::string& path, const std::string& end) {
  return absl::StrCat("Envoy says: Unable to parse JSON as proto (INVALID_ARGUMENT: invalid JSON "
                      "in envoy.config.bootstrap.v3.Bootstrap @ ",
                      path, ": ", end, "): {...}");
}

class Mistakes : public testing::TestWithParam<Mistake> {};

TEST_P(Mistakes, AreExplained) {
  const Mistake& mistake = GetParam();
  const Loaded loaded = load(proxy(mistake.listener, mistake.filter, mistake.cluster));
  std::string errors = loaded.errors();
  if (const size_t at = errors.find(", near "); at != std::string::npos) {
    errors.erase(at, errors.find(')', at) + 1 - at);
  }
  EXPECT_NE(errors.find(mistake.said), std::string::npos) << errors;
  EXPECT_EQ(loaded.problems.errors(), 1U) << errors;
}

const std::string kListener = "static_resources.listeners[0]";
const std::string kCluster = "static_resources.clusters[0]";
const std::string kAny = absl::StrCat(kTcpPath, ".<any>");

INSTANTIATE_TEST_SUITE_P(
    Fields, Mistakes,
    testing::Values(
        Mistake{"port", "address: {socket_address: {address: 127.0.0.1, port: 1}}", "", "",
                "did you mean 'port_value'?"},
        Mistake{"v2_hosts", "", "", "hosts: []", "did you mean 'load_assignment'?"},
        Mistake{"wrong_depth", "filters: []", "", "",
                "it belongs one level deeper, inside 'filter_chains'"},
        Mistake{"wrong_indentation", "", "", "load_assignment: {connect_timeout: 1s}",
                "it is a field of envoy.config.cluster.v3.Cluster, further out"},
        Mistake{"merge_key", "", "", "<<: {connect_timeout: 1s}", "no such field: '<<'"},
        Mistake{"fields_listed", "", "", "track_cluster_stats: {nope: 1}",
                "its fields are timeout_budgets, request_response_sizes, per_endpoint_stats"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Values, Mistakes,
    testing::Values(
        Mistake{"duration_number", "", "idle_timeout: 5", "",
                sentence(kAny + ".idle_timeout",
                         "message google.protobuf.Duration: unexpected character: '5'; expected "
                         "'\"'")},
        Mistake{"duration_unit", "", "idle_timeout: 5m", "",
                sentence(kAny + ".idle_timeout", "message google.protobuf.Duration: duration must "
                                                 "end with a single 's'")},
        Mistake{"duration_hint", "", "idle_timeout: 5m", "", "did you mean '300s'?"},
        Mistake{"duration_ms_hint", "", "idle_timeout: 250ms", "", "did you mean '0.25s'?"},
        Mistake{"duration_text", "", "idle_timeout: soon", "",
                "duration must start with an integer"},
        Mistake{"duration_nanos", "", "idle_timeout: 1.0000000001s", "",
                "duration had bad nanoseconds"},
        Mistake{"duration_long", "", "idle_timeout: 999999999999999s", "", "duration out of range"},
        Mistake{"text_for_number", "per_connection_buffer_limit_bytes: lots", "", "",
                sentence(kListener + ".per_connection_buffer_limit_bytes",
                         "message google.protobuf.UInt32Value: invalid number: 'lots'")},
        Mistake{"octal", "per_connection_buffer_limit_bytes: 0o600", "", "",
                "invalid number: '0o600'"},
        Mistake{"fraction", "per_connection_buffer_limit_bytes: 1.5", "", "",
                "expected integer, but JSON number had fractional part"},
        Mistake{"negative", "per_connection_buffer_limit_bytes: -1", "", "",
                "JSON number out of range for int"},
        Mistake{"large", "per_connection_buffer_limit_bytes: 5000000000", "", "",
                "integer out of range"},
        Mistake{"blank", "per_connection_buffer_limit_bytes: 1 MB", "", "",
                "non-number characters in quoted number"},
        Mistake{"list_for_number", "per_connection_buffer_limit_bytes: [3]", "", "",
                "expected number or string"},
        Mistake{"number_for_text", "stat_prefix: 5", "", "",
                sentence(kListener + ".stat_prefix", "string: unexpected character: '5'; expected "
                                                     "'\"'")},
        Mistake{"number_for_text_hint", "stat_prefix: 5", "", "", "put it in quotes"},
        Mistake{"boolean_for_text", "stat_prefix: yes", "", "",
                "unexpected character: 't'; expected '\"'"},
        Mistake{"boolean_shorthand_for_text", "stat_prefix: y", "", "",
                "the boolean true (written 'y')"},
        Mistake{"word_for_boolean", "enable_mptcp: maybe", "", "",
                sentence(kListener + ".enable_mptcp", "bool: expected 'true' or 'false'")},
        Mistake{"scalar_for_message", "", "", "metadata: hello",
                sentence(kCluster + ".metadata", "message envoy.config.core.v3.Metadata: "
                                                 "unexpected character: '\"'; expected '{'")},
        Mistake{"list_for_message", "", "", "metadata: [a]",
                "unexpected character: '['; expected '{'"},
        Mistake{"scalar_for_list", "", "", "health_checks: 3",
                sentence(kCluster + ".health_checks", "message envoy.config.core.v3.HealthCheck: "
                                                      "unexpected character: '3'; expected '{'")},
        Mistake{"list_for_map", "", "", "metadata: {filter_metadata: [a]}",
                "message envoy.config.core.v3.Metadata.FilterMetadataEntry: unexpected"},
        Mistake{"scalar_in_map", "", "", "metadata: {filter_metadata: {a: 3}}",
                "filter_metadata[0].<struct>: message google.protobuf.Struct.FieldsEntry: "
                "unexpected character: '3'; expected '{'"},
        Mistake{"base64", "socket_options: [{buf_value: '*'}]", "", "",
                sentence(kListener + ".socket_options[0].buf_value", "bytes: corrupt base64")},
        Mistake{"double", "", "", "common_lb_config: {healthy_panic_threshold: {value: x}}",
                "double: non-number characters in quoted number"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Enums, Mistakes,
    testing::Values(
        Mistake{"misspelt", "", "", "lb_policy: ROUNDROBIN",
                "did you mean 'ROUND_ROBIN'? Envoy says: Protobuf message (type "
                "envoy.config.bootstrap.v3.Bootstrap reason INVALID_ARGUMENT: unknown enum value: "
                "'ROUNDROBIN') has unknown fields"},
        Mistake{"unknown", "", "", "type: ZZ",
                "it may be STATIC, STRICT_DNS, LOGICAL_DNS, EDS, ORIGINAL_DST"},
        Mistake{"map", "", "", "lb_policy: {}",
                sentence(kCluster + ".lb_policy", "enum envoy.config.cluster.v3.Cluster.LbPolicy: "
                                                  "expected number or string")}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Any, Mistakes,
    testing::Values(
        Mistake{"without_type", "", "", "upstream_config: {name: x, typed_config: {a: b}}",
                sentence(kCluster + ".upstream_config.typed_config",
                         "message google.protobuf.Any: in legacy mode, missing @type in Any is "
                         "only allowed for an empty object")},
        Mistake{"unknown_type", "", "",
                "upstream_config: {name: x, typed_config: {'@type': a.b/envoy.nope.Nope}}",
                "Envoy says: Unable to parse JSON as proto (INVALID_ARGUMENT: could not find "
                "@type 'a.b/envoy.nope.Nope'): {...}"},
        Mistake{"misspelt_type", "", "",
                absl::StrCat("upstream_config: {name: x, typed_config: {'@type': "
                             "type.googleapis.com/",
                             kTcpProxy, "s}}"),
                absl::StrCat("did you mean 'type.googleapis.com/", kTcpProxy, "'?")},
        Mistake{"v2_type", "", "",
                "upstream_config: {name: x, typed_config: {'@type': type.googleapis.com/"
                "envoy.config.filter.network.tcp_proxy.v2.TcpProxy}}",
                absl::StrCat("did you mean 'type.googleapis.com/", kTcpProxy, "'?")},
        Mistake{"no_host", "", "",
                "upstream_config: {name: x, typed_config: {'@type': envoy.config.core.v3.Address}}",
                "@type must contain at least one / and a nonempty host; got: "
                "envoy.config.core.v3.Address"},
        Mistake{"type_number", "", "", "upstream_config: {name: x, typed_config: {'@type': 3}}",
                "unexpected character: '3'; expected '\"'"},
        Mistake{"scalar", "", "", "upstream_config: {name: x, typed_config: 3}",
                "message google.protobuf.Any: unexpected character: '3'; expected '{'"},
        Mistake{"extra_beside_value", "", "",
                "upstream_config: {name: x, typed_config: {'@type': "
                "type.googleapis.com/google.protobuf.Struct, value: {}, x: 1}}",
                "typed_config.<any>: message google.protobuf.Struct: fields in a well-known-typed "
                "Any must be @type or value"}),
    [](const auto& info) { return info.param.name; });

TEST(LoadYaml, BothFieldsOfAOneofAreNamed) {
  const std::string errors =
      load(proxy("", "weighted_clusters: {clusters: [{name: c, weight: 1}]}")).errors();
  EXPECT_NE(errors.find(absl::StrCat(kAny, ".cluster: string, near 11:11")), std::string::npos)
      << errors;
  EXPECT_NE(errors.find("'weighted_clusters' has already been set"), std::string::npos);
}

TEST(LoadYaml, SpellsValuesAsEnvoyDoes) {
  const Loaded loaded = load(proxy("{per_connection_buffer_limit_bytes: '77', enable_mptcp: on, "
                                   "stat_prefix: 1.5, tcp_backlog_size: 1e3, drain_type: 1}"));
  EXPECT_FALSE(loaded.problems.ok()); // A flow map in a block map: not YAML.
  const Loaded good = load(R"(static_resources:
  listeners:
  - per_connection_buffer_limit_bytes: '77'
    enable_mptcp: on
    stat_prefix: 1.5
    tcp_backlog_size: 1e3
    drain_type: modify_only
    name: "5"
    socket_options: {level: '1', buf_value: _-A, int_value: ~}
    connection_balance_config: null
)");
  ASSERT_TRUE(good.problems.ok()) << good.errors();
  const auto& listener = good.bootstrap.static_resources().listeners(0);
  EXPECT_EQ(listener.per_connection_buffer_limit_bytes().value(), 77U);
  EXPECT_TRUE(listener.enable_mptcp());
  EXPECT_EQ(listener.stat_prefix(), "1.5");
  EXPECT_EQ(listener.tcp_backlog_size().value(), 1000U);
  EXPECT_EQ(listener.drain_type(), envoy::config::listener::v3::Listener::MODIFY_ONLY);
  EXPECT_EQ(listener.socket_options(0).level(), 1);
  EXPECT_EQ(listener.socket_options(0).buf_value(), "\xff\xe0");
  EXPECT_FALSE(listener.has_connection_balance_config());
}

TEST(LoadYaml, StructsKeepWhatTheyAreGiven) {
  const Loaded loaded =
      load("node: {metadata: {a: 1, b: x, c: ~, d: [yes, {e: 2}], f: 1.5, g: {}}}");
  ASSERT_TRUE(loaded.problems.ok()) << loaded.errors();
  const auto& fields = loaded.bootstrap.node().metadata().fields();
  EXPECT_EQ(fields.at("a").number_value(), 1);
  EXPECT_EQ(fields.at("b").string_value(), "x");
  EXPECT_TRUE(fields.at("c").has_null_value());
  EXPECT_TRUE(fields.at("d").list_value().values(0).bool_value());
  EXPECT_EQ(fields.at("f").string_value(), "1.5"); // Envoy's YAML knows no fractions.
  EXPECT_TRUE(fields.at("g").has_struct_value());
}

TEST(LoadYaml, WellKnownTypesInAnyStandUnderValue) {
  const Loaded loaded = load(proxy("", "",
                                   "upstream_config: {name: x, typed_config: {'@type': "
                                   "type.googleapis.com/google.protobuf.Duration, value: 3s}}"));
  ASSERT_TRUE(loaded.problems.ok()) << loaded.errors();
  google::protobuf::Duration duration;
  ASSERT_TRUE(
      loaded.bootstrap.static_resources().clusters(0).upstream_config().typed_config().UnpackTo(
          &duration));
  EXPECT_EQ(duration.seconds(), 3);
}

TEST(LoadYaml, AnchorsWorkAndIgnoredKeysHoldThem) {
  const Loaded loaded = load("!ignore templates:\n- &n {id: a}\nnode: *n\n");
  ASSERT_TRUE(loaded.problems.ok()) << loaded.errors();
  EXPECT_EQ(loaded.bootstrap.node().id(), "a");
}

TEST(LoadYaml, LastOfTwoEqualKeysCountsWithAWarning) {
  const Loaded loaded = load("node: {id: a}\nnode: {cluster: b}\n");
  EXPECT_TRUE(loaded.problems.ok());
  EXPECT_EQ(loaded.bootstrap.node().id(), "");
  EXPECT_EQ(loaded.bootstrap.node().cluster(), "b");
  EXPECT_EQ(loaded.problems.warningLines().size(), 1U);
}

TEST(LoadYaml, SyntaxErrorsAreYamlCpps) {
  EXPECT_EQ(load("a: [1, 2").errors(),
            "(lab.yaml:1:1): this is not YAML. Envoy says: yaml-cpp: error at line 1, column 1: "
            "end of sequence flow not found");
  EXPECT_NE(load("a: *x").errors().find("the referenced anchor is not defined: x"),
            std::string::npos);
  EXPECT_NE(load("{a: {b: c}").errors().find("end of map flow not found"), std::string::npos);
  EXPECT_NE(load("{a: b}: 3").errors().find("error at line 1, column 1: bad conversion"),
            std::string::npos);
}

TEST(LoadYaml, NothingIsNotAConfiguration) {
  for (const std::string text : {"", "# x", "~", "hello"}) {
    EXPECT_NE(load(text).errors().find("Envoy says: Unable to convert YAML as JSON: "),
              std::string::npos);
  }
  EXPECT_TRUE(load("{}").problems.ok());
}

TEST(LoadYaml, SecondDocumentIsRefused) {
  EXPECT_TRUE(load("---\nnode: {id: a}\n...\n").problems.ok());
  EXPECT_TRUE(load("node: {id: a}\n---\n").problems.ok());
  EXPECT_EQ(load("node: {id: a}\n---\nadmin: {}\n").problems.all().at(0).line, 2);
  EXPECT_FALSE(load(", a: b").problems.ok()); // An endless row of documents to yaml-cpp.
}

TEST(LoadYaml, DepthIsBoundedAsInEnvoy) {
  const auto nested = [](int depth) {
    std::string open, close;
    for (int i = 0; i < depth; i++) {
      open += "{a: ";
      close += "}";
    }
    return absl::StrCat("node: {metadata: ", open, "1", close, "}");
  };
  EXPECT_TRUE(load(nested(98)).problems.ok());
  EXPECT_NE(load(nested(99)).errors().find("nested too deeply"), std::string::npos);
  EXPECT_FALSE(load(std::string(100'000, '[')).problems.ok());
  EXPECT_FALSE(load("node: {metadata: {a: &a [*a]}}").problems.ok());
}

TEST(LoadYaml, AliasBombIsBounded) {
  std::string bomb = "node:\n  metadata:\n    a0: &a0 [x]\n";
  for (int i = 1; i < 40; i++) {
    absl::StrAppend(&bomb, "    a", i, ": &a", i, " [*a", i - 1, ", *a", i - 1, "]\n");
  }
  EXPECT_NE(load(bomb).errors().find("YAML aliases make more than 100000 values"),
            std::string::npos);
}

TEST(LoadYaml, LaterTextIsMergedIntoEarlier) {
  Loaded loaded = load("node: {id: a, cluster: c}\nstatic_resources: {clusters: [{name: x}]}");
  EXPECT_TRUE(loadText("node: {id: b}\nstatic_resources: {clusters: [{name: z}]}", Format::kYaml,
                       "--config-yaml", loaded.bootstrap, loaded.problems))
      << loaded.errors();
  EXPECT_EQ(loaded.bootstrap.node().id(), "b");
  EXPECT_EQ(loaded.bootstrap.node().cluster(), "c");
  EXPECT_EQ(loaded.bootstrap.static_resources().clusters(1).name(), "z");
  const auto place = loaded.problems.sources().find("static_resources.clusters[1].name");
  EXPECT_EQ(place.file, "--config-yaml");
  EXPECT_EQ(place.position.line, 2);
}

TEST(LoadJson, KeepsPositions) {
  const Loaded loaded = load("{\n \"static_resources\": {\n  \"foo\": 1}}", Format::kJson);
  EXPECT_NE(loaded.errors().find("near 3:3 (offset 27): no such field: 'foo'"), std::string::npos)
      << loaded.errors();
}

TEST(LoadJson, IsAsLenientAsEnvoys) {
  EXPECT_TRUE(load("{'node': {id: \"a\\u00e9\\ud83d\\ude00\",},}", Format::kJson).problems.ok());
  EXPECT_EQ(load("{'node': {id: \"\\u00e9\"}}", Format::kJson).bootstrap.node().id(), "\u00e9");
}

TEST(LoadJson, SyntaxErrorsHaveEnvoysWords) {
  EXPECT_NE(load("// hi\n{}", Format::kJson)
                .errors()
                .find("near 1:1 (offset 0): unexpected character: '/'; expected '{'): {...}"),
            std::string::npos);
  EXPECT_NE(load("", Format::kJson).errors().find("(INVALID_ARGUMENT: unexpected EOF)"),
            std::string::npos);
  EXPECT_NE(load("{} x", Format::kJson).errors().find("extraneous characters after end"),
            std::string::npos);
  EXPECT_FALSE(load(std::string(100'000, '['), Format::kJson).problems.ok());
}

TEST(LoadProtobuf, ReadsBothForms) {
  const Loaded text = load("node { id: \"x\" }", Format::kText);
  EXPECT_EQ(text.bootstrap.node().id(), "x");
  const Loaded binary = load(text.bootstrap.SerializeAsString(), Format::kBinary);
  EXPECT_EQ(binary.bootstrap.node().id(), "x");
}

TEST(LoadProtobuf, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(load("node { idd: \"x\" }", Format::kText).problems.all().at(0).column, 11);
  EXPECT_NE(load("\xf8\x3f\x01", Format::kBinary)
                .errors()
                .find("(type envoy.config.bootstrap.v3.Bootstrap(root) with unknown field set "
                      "{1023}) has unknown fields"),
            std::string::npos);
  EXPECT_FALSE(load("\xff\xff\xff", Format::kBinary).problems.ok());
}

TEST(LoadFile, ExtensionDecidesTheFormat) {
  EXPECT_EQ(formatOf("a.yaml"), Format::kYaml);
  EXPECT_EQ(formatOf("a.YML"), Format::kYaml);
  EXPECT_EQ(formatOf("a.pb"), Format::kBinary);
  EXPECT_EQ(formatOf("a.pb_text"), Format::kText);
  EXPECT_EQ(formatOf("a.textproto"), Format::kText);
  EXPECT_EQ(formatOf("a.conf"), Format::kJson);
}

TEST(LoadFile, ReadsAndNamesTheFile) {
  const std::string path = absl::StrCat(testing::TempDir(), "/lab.yaml");
  std::ofstream(path) << "nodes: {}\n";
  Bootstrap bootstrap;
  Problems problems;
  EXPECT_FALSE(loadFile(path, bootstrap, problems));
  EXPECT_EQ(problems.all().at(0).file, path);
  EXPECT_NE(problems.errorLines().at(0).find("did you mean 'node'?"), std::string::npos);
}

TEST(LoadFile, MissingFileIsAnInvalidPath) {
  Bootstrap bootstrap;
  Problems problems;
  EXPECT_FALSE(loadFile("/nonexist.yaml", bootstrap, problems));
  EXPECT_NE(problems.errorLines().at(0).find("Envoy says: Invalid path: /nonexist.yaml"),
            std::string::npos);
}

} // namespace
} // namespace culvert::config
