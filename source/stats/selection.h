// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/stats/render.h"

#include "absl/strings/string_view.h"

#include <cstdint>
#include <string>
#include <vector>

namespace culvert::stats {

// The stats that a query shows.
struct Selection {
  std::vector<const Counter*> counters;
  std::vector<const Gauge*> gauges;
  std::vector<const Histogram*> histograms;
  std::vector<const TextReadout*> text_readouts;
};

// In no order; `shown` of the query is left to the caller.
Selection select(const Store& store, const Query& query);

// As `select`, but only of the kinds that the query shows, and in the order of /stats: counters and
// gauges as one list, each list by name.
struct Listing {
  struct Number {
    absl::string_view name;
    uint64_t value;
  };
  std::vector<const TextReadout*> text_readouts;
  std::vector<Number> numbers;
  std::vector<const Histogram*> histograms;
};

Listing listing(const Store& store, const Query& query);

std::string renderText(const Listing& listing, BucketsMode mode);
std::string renderJson(const Listing& listing, BucketsMode mode);
std::string renderPrometheus(const Selection& selection, const TagExtractor& tags,
                             const Query& query);

// The number in as few digits as tell it from others, as C++'s std::format("{}") has it.
std::string shortest(double value);

// Differences of the cumulative counts of buckets.
std::vector<uint64_t> disjoint(std::vector<uint64_t> cumulative);

} // namespace culvert::stats
