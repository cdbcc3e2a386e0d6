// SPDX-License-Identifier: Apache-2.0
#include "source/stats/statsd.h"

#include <gtest/gtest.h>

#include "source/stats/store.h"

namespace culvert::stats {
namespace {

class StatsdLinesTest : public testing::Test {
protected:
  std::vector<std::string> flush() {
    std::vector<std::string> lines;
    store_.merge(store_.takeThread());
    store_.endInterval();
    lines_.write(store_, gains_.take(store_),
                 [&](absl::string_view line) { lines.emplace_back(line); });
    std::sort(lines.begin(), lines.end());
    return lines;
  }
  using Lines = std::vector<std::string>;

  Store store_{1, {}};
  CounterGains gains_;
  StatsdLines lines_{StatsdLines::Config()};
};

TEST_F(StatsdLinesTest, CountersTellWhatTheyGained) {
  Counter& counter = store_.root().counter("cluster.db.upstream_cx_total");
  EXPECT_EQ(flush(), Lines()); // What was never used is not told.
  counter.add(3);
  EXPECT_EQ(flush(), Lines({"envoy.cluster.db.upstream_cx_total:3|c"}));
  EXPECT_EQ(flush(), Lines({"envoy.cluster.db.upstream_cx_total:0|c"}));
  counter.add(1);
  store_.resetCounters();
  counter.add(2);
  EXPECT_EQ(flush(), Lines({"envoy.cluster.db.upstream_cx_total:2|c"}));
}

TEST_F(StatsdLinesTest, GaugesTellTheirValue) {
  store_.root().gauge("server.live").set(1);
  store_.root().gauge("server.state");
  EXPECT_EQ(flush(), Lines({"envoy.server.live:1|g"}));
  EXPECT_EQ(flush(), Lines({"envoy.server.live:1|g"}));
}

TEST_F(StatsdLinesTest, HistogramsTellTheirIntervalBinByBin) {
  Histogram& histogram = store_.root().histogram("length_ms", Unit::kMilliseconds);
  for (const uint64_t value : {0, 7, 7, 7, 7, 1234}) {
    histogram.record(value);
  }
  EXPECT_EQ(flush(), Lines({"envoy.length_ms:0|ms", "envoy.length_ms:1250|ms",
                            "envoy.length_ms:7|ms|@0.25"}));
  EXPECT_EQ(flush(), Lines());
}

TEST_F(StatsdLinesTest, MicrosecondsCanBeTold) {
  store_.root().histogram("wait", Unit::kMicroseconds).record(2500);
  lines_ = StatsdLines({"p", false, true});
  EXPECT_EQ(flush(), Lines({"p.wait:2.55|ms"}));
}

TEST_F(StatsdLinesTest, TagsStandAtTheEnd) {
  store_.root().counter("cluster.db.upstream_cx_total").add(3);
  store_.root().histogram("cluster.db.upstream_cx_length_ms", Unit::kMilliseconds).record(4);
  lines_ = StatsdLines({"p", true, false});
  const Lines wanted = {"p.cluster.upstream_cx_length_ms:4|ms|#envoy.cluster_name:db",
                        "p.cluster.upstream_cx_total:3|c|#envoy.cluster_name:db"};
  EXPECT_EQ(flush(), wanted);
}

} // namespace
} // namespace culvert::stats
