// SPDX-License-Identifier: Apache-2.0
#include "source/stats/render.h"

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace culvert::stats {
namespace {

using Parameters = std::vector<std::pair<std::string, std::string>>;

// A store with one stat of each kind and a histogram that holds what Envoy's held in the answers
// that are copied here: 0 four times and 2 once, in an interval that is over.
class RenderTest : public testing::Test {
protected:
  RenderTest() {
    auto& root = store_.root();
    root.counter("tcp.in.total").add(5);
    root.counter("tcp.in.never");
    root.gauge("tcp.in.active").set(0);
    root.textReadout("cds.version").set("a\"b\n");
    Histogram& histogram = root.histogram("cluster.c.connect_ms", Unit::kMilliseconds);
    root.histogram("cluster.c.unused_ms", Unit::kMilliseconds);
    for (const uint64_t value : {0, 0, 0, 0, 2}) {
      histogram.record(value);
    }
    flush();
    flush();
  }

  void flush() {
    store_.merge(store_.takeThread());
    store_.endInterval();
  }

  std::string get(const Parameters& parameters, std::optional<Format> format = {}) {
    const auto query = parseQuery(parameters, format);
    return query.ok() ? render(store_, *query) : "400 " + std::string(query.status().message());
  }

  Store store_{1, {}};
};

constexpr char kSummary[] = "P0(nan,0) P25(nan,0) P50(nan,0) P75(nan,0) P90(nan,2.05) P95(nan,2.05)"
                            " P99(nan,2.05) P99.5(nan,2.05) P99.9(nan,2.05) P100(nan,2.05)";

TEST_F(RenderTest, TextListsTextsThenNumbersThenHistograms) {
  EXPECT_EQ(get({}), std::string("cds.version: \"a\"b\n\"\n"
                                 "tcp.in.active: 0\ntcp.in.never: 0\ntcp.in.total: 5\n"
                                 "cluster.c.connect_ms: ") +
                         kSummary + "\ncluster.c.unused_ms: No recorded values\n");
}

TEST_F(RenderTest, UsedOnlyLeavesOutWhatWasNeverWritten) {
  const std::string body = get({{"usedonly", ""}});
  EXPECT_EQ(body.find("never"), std::string::npos);
  EXPECT_EQ(body.find("unused"), std::string::npos);
  EXPECT_NE(body.find("active"), std::string::npos);
}

TEST_F(RenderTest, TypeAndFilterChoose) {
  EXPECT_EQ(get({{"type", "Gauges"}}), "tcp.in.active: 0\n");
  EXPECT_EQ(get({{"filter", "^tcp.*l$"}}), "tcp.in.total: 5\n");
  EXPECT_EQ(get({{"filter", "never|c\\."}, {"invert_filter", ""}, {"type", "Counters"}}),
            "tcp.in.total: 5\n");
  EXPECT_EQ(get({{"filter", "nothing"}}), "");
  EXPECT_EQ(get({{"filter", "nothing"}, {"format", "json"}}), "{\"stats\":[]}");
}

TEST_F(RenderTest, BucketsInText) {
  const Parameters base = {{"filter", "connect"}};
  auto with = [&](const char* mode) {
    Parameters parameters = base;
    parameters.emplace_back("histogram_buckets", mode);
    return get(parameters);
  };
  EXPECT_EQ(with("cumulative"),
            "cluster.c.connect_ms: B0.5(0,4) B1(0,4) B5(0,5) B10(0,5) B25(0,5) B50(0,5) B100(0,5) "
            "B250(0,5) B500(0,5) B1000(0,5) B2500(0,5) B5000(0,5) B10000(0,5) B30000(0,5) "
            "B60000(0,5) B300000(0,5) B600000(0,5) B1.8e+06(0,5) B3.6e+06(0,5)\n");
  EXPECT_TRUE(absl::StartsWith(with("disjoint"),
                               "cluster.c.connect_ms: B0.5(0,4) B1(0,0) B5(0,1) B10(0,0) "));
  EXPECT_EQ(with("detailed"), std::string("cluster.c.connect_ms:\n  totals=0,0:4, 2,0.1:1\n"
                                          "  intervals=\n  summary=") +
                                  kSummary + "\n");
  EXPECT_EQ(with("summary"), std::string("cluster.c.connect_ms: ") + kSummary + "\n");
}

TEST_F(RenderTest, JsonIsOneLine) {
  EXPECT_EQ(get({{"format", "json"}, {"filter", "tcp|cds"}}),
            "{\"stats\":[{\"name\":\"cds.version\",\"value\":\"a\\\"b\\n\"},"
            "{\"name\":\"tcp.in.active\",\"value\":0},{\"name\":\"tcp.in.never\",\"value\":0},"
            "{\"name\":\"tcp.in.total\",\"value\":5}]}");
}

TEST_F(RenderTest, JsonHasAllHistogramsInOneElement) {
  const std::string body = get({{"format", "json"}, {"filter", "connect"}});
  EXPECT_TRUE(absl::StartsWith(body,
                               "{\"stats\":[{\"histograms\":{\"supported_quantiles\":"
                               "[0,25,50,75,90,95,99,99.5,99.9,100],\"computed_quantiles\":"
                               "[{\"name\":\"cluster.c.connect_ms\",\"values\":"
                               "[{\"cumulative\":0,\"interval\":null},{\"cumulative\":0,\"int"))
      << body;
  EXPECT_TRUE(absl::EndsWith(body, "{\"cumulative\":2.05,\"interval\":null}]}]}}]}")) << body;
}

TEST_F(RenderTest, BucketsInJson) {
  const std::string cumulative =
      get({{"format", "json"}, {"filter", "connect"}, {"histogram_buckets", "cumulative"}});
  EXPECT_TRUE(absl::StartsWith(cumulative, "{\"stats\":[{\"histograms\":[{\"name\":"
                                           "\"cluster.c.connect_ms\",\"buckets\":["
                                           "{\"upper_bound\":0.5,\"interval\":0,\"cumulative"))
      << cumulative;
  EXPECT_NE(cumulative.find("{\"upper_bound\":3e+05,"), std::string::npos);
  EXPECT_NE(cumulative.find("{\"upper_bound\":1800000,"), std::string::npos);
  EXPECT_NE(
      get({{"format", "json"}, {"filter", "connect"}, {"histogram_buckets", "detailed"}})
          .find(
              "\"totals\":[{\"lower_bound\":0,\"width\":0,\"count\":4},"
              "{\"lower_bound\":2,\"width\":0.1,\"count\":1}],\"intervals\":[],\"percentiles\":["),
      std::string::npos);
}

TEST_F(RenderTest, PrometheusGroupsByNameWithoutTags) {
  store_.root().counter("tcp.out.total").add(2);
  store_.root().counter("server.x");
  EXPECT_EQ(get({{"filter", "total|server|cds"}, {"text_readouts", ""}}, Format::kPrometheus),
            "# TYPE envoy_server_x counter\nenvoy_server_x{} 0\n"
            "# TYPE envoy_tcp_total counter\n"
            "envoy_tcp_total{envoy_tcp_prefix=\"in\"} 5\n"
            "envoy_tcp_total{envoy_tcp_prefix=\"out\"} 2\n"
            "# TYPE envoy_cds_version gauge\n"
            "envoy_cds_version{text_value=\"a\\\"b\\n\"} 0\n");
}

TEST_F(RenderTest, PrometheusHistogramsHaveBucketsSumAndCount) {
  const std::vector<std::string> lines =
      absl::StrSplit(get({{"filter", "connect"}}, Format::kPrometheus), '\n');
  ASSERT_EQ(lines.size(), 24);
  EXPECT_EQ(lines[0], "# TYPE envoy_cluster_connect_ms histogram");
  EXPECT_EQ(lines[1], "envoy_cluster_connect_ms_bucket{envoy_cluster_name=\"c\",le=\"0.5\"} 4");
  EXPECT_EQ(lines[19],
            "envoy_cluster_connect_ms_bucket{envoy_cluster_name=\"c\",le=\"3600000\"} 5");
  EXPECT_EQ(lines[20], "envoy_cluster_connect_ms_bucket{envoy_cluster_name=\"c\",le=\"+Inf\"} 5");
  EXPECT_EQ(lines[21], "envoy_cluster_connect_ms_sum{envoy_cluster_name=\"c\"} "
                       "2.0487804878048780921062643756159");
  EXPECT_EQ(lines[22], "envoy_cluster_connect_ms_count{envoy_cluster_name=\"c\"} 5");
}

TEST_F(RenderTest, PrometheusCanShowSummariesOfTheInterval) {
  const std::string body =
      get({{"filter", "connect"}, {"histogram_buckets", "summary"}}, Format::kPrometheus);
  EXPECT_TRUE(absl::StartsWith(body, "# TYPE envoy_cluster_connect_ms summary\n"
                                     "envoy_cluster_connect_ms{envoy_cluster_name=\"c\","
                                     "quantile=\"0\"} nan\nenvoy_cluster_"))
      << body;
}

TEST_F(RenderTest, RefusesInEnvoysWords) {
  EXPECT_EQ(get({{"filter", "("}}), "400 Invalid re2 regex: missing ): (");
  EXPECT_EQ(get({{"type", "gauges"}}), "400 invalid &type= param");
  EXPECT_EQ(get({{"format", "bogus"}}),
            "400 usage: /stats?format=(html|active-html|json|prometheus|text)\n\n");
  EXPECT_EQ(get({{"histogram_buckets", "bogus"}}),
            "400 usage: /stats?histogram_buckets="
            "(cumulative|disjoint|detailed|summary|prometheusnative)\n");
  EXPECT_EQ(get({{"invert_filter", ""}}),
            "400 invert_filter can only be used if filter is also provided");
  EXPECT_EQ(get({{"histogram_buckets", "detailed"}}, Format::kPrometheus),
            "400 unsupported prometheus histogram bucket mode");
}

} // namespace
} // namespace culvert::stats
