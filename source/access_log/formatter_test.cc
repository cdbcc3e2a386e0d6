// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/formatter.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "envoy/config/core/v3/substitution_format_string.pb.h"
#include "google/protobuf/util/json_util.h"
#include "source/access_log/entry_for_test.h"

namespace culvert::access_log {
namespace {

std::string text(const TestSession& session, absl::string_view format, bool omit_empty = false) {
  const auto formatter = Formatter::text(format, omit_empty);
  if (!formatter.ok())
    return std::string(formatter.status().message());
  std::string out;
  (*formatter)->append(session.entry(), out);
  return out;
}

// Of one operator.
std::string value(const TestSession& session, absl::string_view op) {
  return text(session, absl::StrCat("%", op, "%"));
}

std::string json(const TestSession& session, const std::string& format, bool omit_empty = false) {
  google::protobuf::Struct parsed;
  const auto status = google::protobuf::util::JsonStringToMessage(format, &parsed);
  EXPECT_TRUE(status.ok()) << format << status.ToString();
  const auto formatter = Formatter::json(parsed, omit_empty);
  if (!formatter.ok())
    return std::string(formatter.status().message());
  std::string out;
  (*formatter)->append(session.entry(), out);
  EXPECT_EQ(out.back(), '\n');
  out.pop_back();
  return out;
}

struct Case {
  const char* op;
  const char* want;
};

void check(const TestSession& session, std::initializer_list<Case> cases) {
  for (const Case& c : cases)
    EXPECT_EQ(value(session, c.op), c.want) << c.op;
}

TEST(TextFormat, WritesEnvoysLineWhereNoneIsGiven) {
  std::string out;
  Formatter::defaultLine()->append(TestSession().entry(), out);
  EXPECT_EQ(out, "[2026-11-21T09:57:16.011Z] \"- - -\" 0 - 3 5 1 - \"-\" \"-\" \"-\" \"-\" "
                 "\"127.0.0.1:38119\"\n");
}

TEST(TextFormat, AddsNoNewlineAndPrintsTwoPercentSignsAsOne) {
  EXPECT_EQ(text({}, "100%% %BYTES_SENT% %%%BYTES_SENT%%%"), "100% 5 %5%");
  EXPECT_EQ(text({}, ""), "");
}

TEST(TextFormat, PrintsTheDownstreamSide) {
  check({}, {{"BYTES_RECEIVED", "3"},
             {"BYTES_SENT", "5"},
             {"DOWNSTREAM_WIRE_BYTES_RECEIVED", "3"},
             {"DOWNSTREAM_WIRE_BYTES_SENT", "5"},
             {"DURATION", "1"},
             {"CONNECTION_ID", "98"},
             {"DOWNSTREAM_REMOTE_ADDRESS", "127.0.0.1:36670"},
             {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "127.0.0.1"},
             {"DOWNSTREAM_REMOTE_PORT", "36670"},
             {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS", "127.0.0.1:36670"},
             {"DOWNSTREAM_LOCAL_ADDRESS", "127.0.0.1:38369"},
             {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT", "127.0.0.1"},
             {"DOWNSTREAM_LOCAL_PORT", "38369"},
             {"DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID", ""},
             {"DOWNSTREAM_DETECTED_CLOSE_TYPE", "Normal"},
             {"DOWNSTREAM_LOCAL_CLOSE_REASON", "-"},
             {"DOWNSTREAM_TRANSPORT_FAILURE_REASON", "-"},
             {"CONNECTION_TERMINATION_DETAILS", "-"},
             {"RESPONSE_CODE", "0"},
             {"RESPONSE_CODE_DETAILS", "-"},
             {"RESPONSE_FLAGS", "-"},
             {"RESPONSE_FLAGS_LONG", "-"},
             {"LISTENER_NAME", "ingress"},
             {"FILTER_CHAIN_NAME", "-"},
             {"REQUESTED_SERVER_NAME", "-"},
             {"ACCESS_LOG_TYPE", "TcpConnectionEnd"},
             {"CUSTOM_FLAGS", ""},
             {"CULVERT_CLOSE_REASON", "the peer closed the connection"}});
}

TEST(TextFormat, PrintsTheUpstreamSide) {
  check({}, {{"UPSTREAM_HOST", "127.0.0.1:38119"},
             {"UPSTREAM_HOST_NAME", "127.0.0.1:38119"},
             {"UPSTREAM_HOST_NAME_WITHOUT_PORT", "127.0.0.1"},
             {"UPSTREAM_HOSTS_ATTEMPTED", "127.0.0.1:38119"},
             {"UPSTREAM_CONNECTION_ID", "99"},
             {"UPSTREAM_CONNECTION_IDS_ATTEMPTED", "99"},
             {"UPSTREAM_CLUSTER", "alt"},
             {"UPSTREAM_CLUSTER_RAW", "backend"},
             {"UPSTREAM_LOCAL_ADDRESS", "127.0.0.1:35324"},
             {"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT(8)", "127.0.0.0/8"},
             {"UPSTREAM_LOCAL_PORT", "35324"},
             {"UPSTREAM_REMOTE_ADDRESS", "127.0.0.1:38119"},
             {"UPSTREAM_REMOTE_PORT", "38119"},
             {"UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID", ""},
             {"UPSTREAM_REQUEST_ATTEMPT_COUNT", "1"},
             {"UPSTREAM_WIRE_BYTES_RECEIVED", "5"},
             {"UPSTREAM_WIRE_BYTES_SENT", "3"},
             {"UPSTREAM_CONNECTION_POOL_READY_DURATION", "0"},
             {"UPSTREAM_DETECTED_CLOSE_TYPE", "Normal"},
             {"UPSTREAM_LOCAL_CLOSE_REASON", "-"},
             {"UPSTREAM_TRANSPORT_FAILURE_REASON", "-"}});
}

TEST(TextFormat, PrintsWhatIsKnownOfHostsThatRefused) {
  TestSession session;
  session.tryHost("[::1]:50755", "my.host:80");
  session.refuse();
  check(session,
        {{"UPSTREAM_HOST", "[::1]:50755"},
         {"UPSTREAM_HOST_NAME", "my.host:80"},
         {"UPSTREAM_HOST_NAME_WITHOUT_PORT", "my.host"},
         {"UPSTREAM_HOSTS_ATTEMPTED", "127.0.0.1:38119,[::1]:50755"},
         {"UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT", "127.0.0.1,::1"},
         {"UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT", "127.0.0.1,my.host"},
         {"UPSTREAM_CONNECTION_IDS_ATTEMPTED", "-"},
         {"UPSTREAM_CONNECTION_ID", "0"},
         {"UPSTREAM_LOCAL_ADDRESS", "-"},
         {"UPSTREAM_REMOTE_ADDRESS", "-"},
         {"UPSTREAM_REMOTE_PORT", "-"},
         {"UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID", "-"},
         {"UPSTREAM_TRANSPORT_FAILURE_REASON", "delayed_connect_error:_Connection_refused"},
         {"DOWNSTREAM_LOCAL_CLOSE_REASON", "tcp_initializion_failure:0"},
         {"RESPONSE_FLAGS", "UF,URX"},
         {"RESPONSE_FLAGS_LONG", "UpstreamConnectionFailure,UpstreamRetryLimitExceeded"},
         {"COMMON_DURATION(US_CX_BEG:DS_CX_END)", "-"},
         {"CULVERT_CLOSE_REASON", "no upstream host could be connected"}});
}

TEST(TextFormat, PrintsAConnectionThatNeverWentUpstream) {
  TestSession session;
  session.info.upstream = nullptr;
  session.info.id = 0;
  session.info.response_flags = net::kNoRouteFound;
  session.info.response_code_details = "filter_chain_not_found";
  session.type = Type::kNotSet;
  check(session, {{"UPSTREAM_HOST", "-"},
                  {"UPSTREAM_HOSTS_ATTEMPTED", "-"},
                  {"UPSTREAM_CLUSTER", "-"},
                  {"UPSTREAM_CONNECTION_ID", "0"},
                  {"UPSTREAM_REQUEST_ATTEMPT_COUNT", "0"},
                  {"UPSTREAM_DETECTED_CLOSE_TYPE", "-"},
                  {"STREAM_ID", "-"},
                  {"CONNECTION_ID", "0"},
                  {"COMMON_DURATION(DS_CX_BEG:DS_CX_END)", "-"},
                  {"UPSTREAM_CONNECTION_POOL_READY_DURATION", "-"},
                  {"RESPONSE_FLAGS", "NR"},
                  {"RESPONSE_FLAGS_LONG", "NoRouteFound"},
                  {"RESPONSE_CODE_DETAILS", "filter_chain_not_found"},
                  {"ACCESS_LOG_TYPE", "NotSet"}});
}

TEST(TextFormat, SaysWhyAConnectionEndedOnlyWhenItHas) {
  TestSession session;
  session.info.close_reason = net::CloseReason::local("rbac_deny_close");
  EXPECT_EQ(value(session, "CULVERT_CLOSE_REASON"),
            "a filter closed the connection: rbac_deny_close");
  session.type = Type::kTcpPeriodic;
  EXPECT_EQ(value(session, "CULVERT_CLOSE_REASON"), "-");
}

TEST(TextFormat, CutsAddressesDownToABlock) {
  check({}, {{"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(0)", "0.0.0.0/0"},
             {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(24)", "127.0.0.0/24"},
             {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(32)", "127.0.0.1/32"},
             {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(129)", "127.0.0.1/32"},
             {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT( 8)", "127.0.0.0/8"},
             {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(x)", "127.0.0.1"},
             {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT()", "127.0.0.1"},
             {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(-1)", ""}});
}

TEST(TextFormat, PrintsAddressesThatAreNotOfIp) {
  TestSession session;
  session.info.local = *net::Address::pipe("/tmp/p.sock");
  session.info.remote = net::Address::internal("inner", "10.0.0.7:80");
  check(session, {{"DOWNSTREAM_LOCAL_ADDRESS", "/tmp/p.sock"},
                  {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", "/tmp/p.sock"},
                  {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT(8)", ""},
                  {"DOWNSTREAM_LOCAL_PORT", ""},
                  {"DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID", ""},
                  {"DOWNSTREAM_REMOTE_ADDRESS", "envoy://inner/10.0.0.7:80"}});
  EXPECT_EQ(json(session, R"({"p":"%DOWNSTREAM_LOCAL_PORT%","q":"a%DOWNSTREAM_LOCAL_PORT%"})"),
            R"({"p":null,"q":"a"})");
  session.info.local = session.info.remote;
  EXPECT_EQ(value(session, "DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID"), "10.0.0.7:80");
}

TEST(TextFormat, PrintsTimesAsStrftimeDoesWithPartsOfASecond) {
  check({}, {{"START_TIME", "2026-11-21T09:57:16.011Z"},
             {"EMIT_TIME", "2026-11-21T09:57:16.013Z"},
             {"START_TIME(%Y/%m/%dT%H:%M:%S%z %s)", "2026/11/21T09:57:16+0000 1795255036"},
             {"START_TIME(%s.%3f)", "1795255036.011"},
             {"START_TIME(%f|%1f|%9f|%*f|%E*S|%E3S|%E4f)",
              "011425000|0|011425000|011425|16.011425|16.011|0114"},
             {"START_TIME(%2f %4f %5f %6f %7f %8f)", "01 0114 01142 011425 0114250 01142500"},
             {"START_TIME(%a %A %b %B %d %e %j)", "Sat Saturday Nov November 21 21 325"},
             {"START_TIME(%F %T %Z)", "2026-11-21 09:57:16 UTC"},
             {"START_TIME(%%s)", "%1795255036"},
             {"START_TIME(%s%s)", "17952550361795255036"},
             {"START_TIME(%3f%%)", "011%"},
             {"START_TIME(a%b)", "aNov"},
             {"START_TIME(x)", "x"}});
}

TEST(TextFormat, PrintsWhatWasBeforeTheEpochAndWholeSeconds) {
  TestSession session;
  session.info.start_wall = base::WallTime(std::chrono::milliseconds(-1));
  EXPECT_EQ(value(session, "START_TIME"), "1969-12-31T23:59:59.999Z");
  session.info.start_wall = base::WallTime();
  EXPECT_EQ(value(session, "START_TIME(%*f|%E*S|%E*f)"), "0|00|0");
}

TEST(TextFormat, MeasuresBetweenTwoPoints) {
  check({}, {{"COMMON_DURATION(DS_CX_BEG:DS_CX_END:us)", "1706"},
             {"COMMON_DURATION(DS_RX_BEG:DS_CX_END:ms)", "1"},
             {"COMMON_DURATION(US_CX_BEG:US_CX_END:ns)", "60000"},
             {"COMMON_DURATION(DS_CX_BEG:US_CX_BEG)", "0"},
             {"COMMON_DURATION(DS_CX_END:DS_CX_BEG)", "-"},
             {"COMMON_DURATION(US_TX_BEG:DS_CX_END)", "-"},
             {"COMMON_DURATION(nope:x)", "-"}});
}

TEST(TextFormat, PrintsServerNamesThatAreNoneHarmlessly) {
  TestSession session;
  session.info.requested_server_name = "exa_mple.com";
  EXPECT_EQ(value(session, "REQUESTED_SERVER_NAME(SNI_ONLY:ORIG)"), "exa_mple.com");
  session.info.requested_server_name = "bad name\n\"x.com";
  EXPECT_EQ(value(session, "REQUESTED_SERVER_NAME"), "invalid:bad_name__x.com");
}

TEST(TextFormat, KeepsWhatAPeerChoseOnOneLine) {
  TestSession session;
  session.info.termination_details = "a\nb\x01\tc\x7f";
  EXPECT_EQ(value(session, "CONNECTION_TERMINATION_DETAILS"), "a\\nb\\x01\\tc\\x7f");
  session.info.transport_failure_reason = "TLS error:\nbad";
  EXPECT_EQ(value(session, "DOWNSTREAM_TRANSPORT_FAILURE_REASON"), "TLS_error:_bad");
}

TEST(TextFormat, ReadsTheEnvironmentWhenItIsBuilt) {
  ::setenv("CULVERT_TEST_VALUE", "foovalue", 1);
  ::unsetenv("CULVERT_TEST_NONE");
  check({}, {{"ENVIRONMENT(CULVERT_TEST_VALUE)", "foovalue"},
             {"ENVIRONMENT(CULVERT_TEST_VALUE):3", "foo"},
             {"ENVIRONMENT(CULVERT_TEST_NONE)", "-"}});
}

TEST(TextFormat, GivesEachConnectionAnIdOfItsOwn) {
  TestSession one;
  TestSession two;
  two.info.id = 99;
  const std::string id = value(one, "STREAM_ID");
  EXPECT_EQ(id.size(), 36u);
  EXPECT_EQ(id[14], '4');
  EXPECT_EQ(value(one, "STREAM_ID"), id);
  EXPECT_NE(value(two, "STREAM_ID"), id);
  EXPECT_NE(value(one, "UNIQUE_ID"), value(one, "UNIQUE_ID"));
}

TEST(TextFormat, LeavesOutWhatIsEmptyWhenToldTo) {
  EXPECT_EQ(
      text({}, "[%ROUTE_NAME%|%RESPONSE_FLAGS%|%BYTES_SENT%|%REQ(a)%|%FILTER_CHAIN_NAME%]", true),
      "[|-|5||]");
}

TEST(TextFormat, TakesWhatOnlyHttpHas) {
  check({}, {{"REQ(:authority?x)", "-"},
             {"RESP(a):3", "-"},
             {"TRAILER(a)", "-"},
             {"PATH(NQ:ORIG)", "-"},
             {"QUERY_PARAMS(ORIG)", "-"},
             {"GRPC_STATUS(NUMBER)", "-"},
             {"PROTOCOL", "-"},
             {"REQUEST_HEADERS_BYTES", "0"},
             {"UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT", "0"},
             {"DOWNSTREAM_PEER_CERT_V_START(%Y)", "-"},
             {"DOWNSTREAM_TLS_VERSION", "-"}});
}

TEST(TextFormat, PrintsMetadata) {
  TestSession session;
  const net::Value::Fields fields = {{"k", {"vv"}},
                                     {"n", {5.0}},
                                     {"b", {true}},
                                     {"big", {100000.0}},
                                     {"nul", {}},
                                     {"o", {net::Value::Fields{{"p", {"q"}}, {"a", {1.5}}}}},
                                     {"l", {net::Value::List{{1.0}, {"x"}, {}}}}};
  auto metadata = std::make_shared<net::Metadata>();
  metadata->set("ns", fields);
  session.cluster->metadata = metadata;
  session.info.mutableDynamicMetadata().set("ns", fields);
  check(session, {{"CLUSTER_METADATA(ns)",
                   R"({"b":true,"big":1e+05,"k":"vv","l":[1,"x",null],"n":5,"nul":null,)"
                   R"("o":{"a":1.5,"p":"q"}})"},
                  {"CLUSTER_METADATA(ns:k)", "vv"},
                  {"CLUSTER_METADATA(ns:o:p)", "q"},
                  {"CLUSTER_METADATA(ns:l)", R"([1,"x",null])"},
                  {"CLUSTER_METADATA(ns:nul)", "-"},
                  {"CLUSTER_METADATA(ns:k:z)", "-"},
                  {"CLUSTER_METADATA(ns:)", "-"},
                  {"CLUSTER_METADATA(:)", "-"},
                  {"UPSTREAM_METADATA(ns:k)", "-"},
                  {"DYNAMIC_METADATA(ns:n)", "5"},
                  {"DYNAMIC_METADATA(ns:k):1", "v"},
                  {"METADATA(CLUSTER:ns:k):1", "v"},
                  {"METADATA(CLUSTER)", "-"},
                  {"METADATA(LISTENER:ns:k)", "-"},
                  {"METADATA(DYNAMIC:ns:b)", "true"}});
  EXPECT_EQ(json(session, R"({"a":"%METADATA(CLUSTER:ns:k):1%","o":"%METADATA(CLUSTER:ns:o):3%"})"),
            R"({"a":"v","o":{"a":1.5,"p":"q"}})");
}

TEST(TextFormat, PrintsFilterState) {
  TestSession session;
  session.info.mutableFilterState().set("my.key",
                                        std::make_shared<net::StringState>("hello \" world"));
  check(session, {{"FILTER_STATE(nope)", "-"},
                  {"FILTER_STATE(my.key)", R"("hello \" world")"},
                  {"FILTER_STATE(my.key:PLAIN)", R"(hello " world)"},
                  {"FILTER_STATE(my.key:TYPED):3", "\"he"},
                  {"FILTER_STATE(my.key:PLAIN):3", "hel"},
                  {"FILTER_STATE(my.key:FIELD:x)", "-"},
                  {"UPSTREAM_FILTER_STATE(my.key:PLAIN)", "-"}});
  EXPECT_EQ(
      json(session, R"({"t":"%FILTER_STATE(my.key):3%","p":"%FILTER_STATE(my.key:PLAIN):7%"})"),
      R"({"p":"hello \"","t":"hello \" world"})");
}

TEST(TextFormat, TakesTheFirstThatHasAValue) {
  ::setenv("CULVERT_TEST_VALUE", "foovalue", 1);
  check({}, {{R"(COALESCE({"operators":["REQUESTED_SERVER_NAME","BYTES_SENT"]}))", "5"},
             {R"(COALESCE({"operators":["RESPONSE_FLAGS","BYTES_SENT"]}))", "-"},
             {R"(COALESCE({"operators":["CUSTOM_FLAGS","BYTES_SENT"]}))", ""},
             {R"(COALESCE({"operators":["ROUTE_NAME"]}))", "-"},
             {R"(COALESCE({"operators":["ROUTE_NAME",{"command":"ENVIRONMENT",)"
              R"("param":"CULVERT_TEST_VALUE","max_length":2}]}))",
              "fo"},
             {R"(COALESCE({"operators":[{"command":"ENVIRONMENT",)"
              R"("param":"CULVERT_TEST_VALUE"}]}):3)",
              "foo"}});
}

TEST(TextFormat, RefusesWithEnvoysWords) {
  check({},
        {{"NO_SUCH_OPERATOR", "Not supported field in StreamInfo: NO_SUCH_OPERATOR"},
         {"BYTES_SENT(x)", "BYTES_SENT does not take any parameters or length"},
         {"BYTES_SENT:5", "BYTES_SENT does not take any parameters or length"},
         {"START_TIME:5", "START_TIME does not allow length to be specified."},
         {"START_TIME(%n)", "Invalid header configuration. Format string contains newline."},
         {"START_TIME(%-n)", "Invalid header configuration. Format string contains newline."},
         {"REQ", "REQ requires parameters"},
         {"REQ(a?b?c)", "More than 1 alternative header specified in token: a?b?c"},
         {"REQ(a)b)", "Invalid header configuration. Format string contains invalid characters."},
         {"COMMON_DURATION(a)", "Invalid common duration configuration: a."},
         {"COMMON_DURATION(a:b:c)", "Invalid common duration precision: c."},
         {"FILTER_STATE", "Invalid filter state configuration, key cannot be empty."},
         {"FILTER_STATE(a:X)",
          "Invalid filter state serialize type, only support PLAIN/TYPED/FIELD."},
         {"FILTER_STATE(a:FIELD)",
          "Invalid filter state serialize type, FIELD should be used with the field name."},
         {"METADATA(X:y)", "X is not supported type of metadata"},
         {"PATH(x)", "Invalid PATH option: 'x', only 'WQ'/'NQ' are allowed"},
         {"REQUESTED_SERVER_NAME(x)",
          "Invalid REQUESTED_SERVER_NAME option: 'x', only 'SNI_ONLY'/'SNI_FIRST'/'HOST_FIRST' "
          "are allowed"},
         {R"(COALESCE({"operators":["NOPE"]}))",
          "COALESCE: failed to parse operator at index 0: unknown command: 'NOPE'"},
         {R"(COALESCE({"operators":[]}))", "COALESCE: 'operators' array must not be empty"},
         {"CEL(true)", "CEL: expressions are not supported"}});
}

TEST(TextFormat, SaysWhereTheSyntaxIsBroken) {
  const auto error = [](absl::string_view format, int position) {
    EXPECT_EQ(text({}, format),
              absl::StrCat("Incorrect configuration: ", format,
                           ". Couldn't find valid command at position ", position));
  };
  error("a%", 1);
  error("100%", 3);
  error("%%%", 2);
  error("%BYTES_SENT%%", 12);
  error("%start_time%", 0);
  error("%START_TIME(%Y)", 0);
  error("%START_TIME(\n)%", 0);
  error("%BYTES_SENT:%", 0);
  error("%REQ(a):3", 0);
  error("%REQ(x)y%", 0);
  error("%ENVIRONMENT(a):99999999999999999999999%", 0);
}

TEST(JsonFormat, SortsKeysAndKeepsTypes) {
  EXPECT_EQ(json({}, R"({"b":"%BYTES_SENT%","a":"p-%BYTES_SENT%","c":"%ROUTE_NAME%","d":true,"e":5,
                   "f":null,"g":"plain","h":"100%%","i":"%RESPONSE_FLAGS%",
                   "o":{"z":1,"a":{}},"l":[1,"%BYTES_SENT%",[],{"q":"%ROUTE_NAME%"},null]})"),
            R"({"a":"p-5","b":5,"c":null,"d":true,"e":5,"f":null,"g":"plain","h":"100%","i":"-",)"
            R"("l":[1,5,[],{"q":null},null],"o":{"a":{},"z":1}})");
  EXPECT_EQ(json({}, "{}"), "{}");
}

TEST(JsonFormat, PrintsNumbersInTheirShortestForm) {
  EXPECT_EQ(json({}, R"({"a":0.1,"b":1e20,"c":1e15,"d":123456789012,"e":-0.0,"f":1.5e-7,"g":3,
                         "h":-7.25,"i":12345678901234567890,"j":0.30000000000000004,"k":100000})"),
            R"({"a":0.1,"b":1e+20,"c":1e+15,"d":123456789012,"e":-0,"f":1.5e-07,"g":3,)"
            R"("h":-7.25,"i":12345678901234567168,"j":0.30000000000000004,"k":1e+05})");
}

TEST(JsonFormat, EscapesStrings) {
  TestSession session;
  session.info.termination_details = "a\x01\tb\n\"\\/\xc3\xa9\x7f<";
  EXPECT_EQ(json(session, R"({"k\"\u00e9\n":"x%CONNECTION_TERMINATION_DETAILS%"})"),
            "{\"k\\\"\xc3\xa9\\n\":\"xa\\u0001\\tb\\n\\\"\\\\/\xc3\xa9\x7f<\"}");
  session.info.termination_details = "a\xff\xc3(\"\n\x80z";
  EXPECT_EQ(json(session, R"({"k":"%CONNECTION_TERMINATION_DETAILS%"})"),
            R"({"k":"a\u00ff\u00c3(\u0022\u000a\u0080z"})");
}

TEST(JsonFormat, LeavesOutWhatIsEmptyWhenToldTo) {
  const auto omit = [](const std::string& format) { return json({}, format, true); };
  EXPECT_EQ(omit(R"({"a":{"b":"%ROUTE_NAME%"},"c":["%ROUTE_NAME%","x"],"d":{},"e":[],"g":null,
                     "h":"","i":"x%ROUTE_NAME%","j":"%BYTES_SENT%","l":"%CUSTOM_FLAGS%",
                     "m":"%ROUTE_NAME%","n":["%ROUTE_NAME%"],"o":"%ROUTE_NAME%%ROUTE_NAME%"})"),
            R"({"c":["x"],"e":[],"h":"","i":"x","j":5,"l":"","n":[],"o":""})");
  EXPECT_EQ(omit(R"({"a":[{}],"b":[[]],"c":[{"d":"%ROUTE_NAME%"}],"e":[null,1]})"),
            R"({"a":[],"b":[[]],"c":[],"e":[1]})");
  EXPECT_EQ(omit(R"({"a":{"b":{"c":"%ROUTE_NAME%"}}})"), "{}");
}

TEST(JsonFormat, SaysWhichKeyIsWrong) {
  EXPECT_EQ(json({}, R"({"a":{"b":["x","%NOPE%"]}})"),
            "a.b[1]: Not supported field in StreamInfo: NOPE");
}

absl::StatusOr<Formatter::Ptr> fromProto(const std::string& config) {
  envoy::config::core::v3::SubstitutionFormatString message;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(config, &message).ok());
  return Formatter::create(message);
}

TEST(FormatString, ComesFromEverywhereItMay) {
  const std::string path = ::testing::TempDir() + "/format.txt";
  std::ofstream(path) << "file %BYTES_SENT%";
  ::setenv("CULVERT_TEST_FORMAT", "env %BYTES_SENT%", 1);
  const auto line = [](const std::string& config) {
    std::string out;
    const auto formatter = fromProto(config);
    EXPECT_TRUE(formatter.ok()) << formatter.status();
    (*formatter)->append(TestSession().entry(), out);
    return out;
  };
  EXPECT_EQ(line(R"({"text_format":"old %BYTES_SENT%"})"), "old 5");
  EXPECT_EQ(line(R"({"text_format_source":{"inline_string":"in %BYTES_SENT%"}})"), "in 5");
  EXPECT_EQ(line(R"({"text_format_source":{"inline_bytes":"YiAlQllURVNfU0VOVCU="}})"), "b 5");
  EXPECT_EQ(line(R"({"text_format_source":{"filename":")" + path + R"("}})"), "file 5");
  EXPECT_EQ(line(R"({"text_format_source":{"environment_variable":"CULVERT_TEST_FORMAT"}})"),
            "env 5");
  EXPECT_EQ(line(R"({"json_format":{"a":"%ROUTE_NAME%"},"omit_empty_values":true})"), "{}\n");
}

TEST(FormatString, SaysWhichFieldIsWrong) {
  const auto error = [](const std::string& config) {
    return std::string(fromProto(config).status().message());
  };
  EXPECT_EQ(error(R"({"text_format_source":{"filename":"/nope"}})"),
            "text_format_source: Invalid path: /nope");
  EXPECT_EQ(error(R"({"text_format_source":{"environment_variable":"CULVERT_NOPE"}})"),
            "text_format_source: Environment variable doesn't exist: CULVERT_NOPE");
  EXPECT_EQ(error(R"({"json_format":{"a":"%NOPE%"}})"),
            "json_format.a: Not supported field in StreamInfo: NOPE");
  EXPECT_EQ(error(R"({"text_format":"x","formatters":[{"name":"f"}]})"),
            "formatters[0]: custom formatters are not supported");
}

} // namespace
} // namespace culvert::access_log
