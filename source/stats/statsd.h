// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "source/stats/stat.h"

namespace culvert::stats {

class Store;
class TagExtractor;

// What counters have gained since the last time. Threads: main.
class CounterGains {
public:
  struct Gain {
    const Counter* counter;
    uint64_t by;
  };
  // Of those that were ever above 0. Valid as long as the counters.
  std::vector<Gain> take(const Store& store);

private:
  absl::flat_hash_map<std::string, uint64_t> last_;
};

// Statistics as lines for statsd, "envoy.cluster.db.upstream_cx_total:1|c", or for DogStatsD, whose
// lines have the variable parts of a name as tags at their end.
// Counters are told by what they gained, gauges by their value; of a histogram what was recorded in
// the last interval, a line for each bin, with "|@" and one over the number of samples if there are
// more than one.
// Threads: main.
class StatsdLines {
public:
  struct Config {
    std::string prefix = "envoy";
    bool tags = false;                  // DogStatsD.
    bool scale_to_milliseconds = false; // Histograms of microseconds.
  };

  explicit StatsdLines(Config config) : config_(std::move(config)) {}

  using Line = absl::FunctionRef<void(absl::string_view line)>; // Without a newline.
  void write(const Store& store, absl::Span<const CounterGains::Gain> gains, Line line);

private:
  struct Name {
    std::string head; // "envoy.name:"
    std::string tail; // "|#tag:value"
  };

  const Name& nameOf(const Store& store, const Stat& stat);
  void put(const Name& name, absl::string_view value, absl::string_view rate, Line line);
  void histogram(const Store& store, const Histogram& histogram, Line line);

  Config config_;
  absl::flat_hash_map<std::string, Name> names_; // Of stats that were written before.
  std::string line_;
};

} // namespace culvert::stats
