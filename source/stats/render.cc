// SPDX-License-Identifier: Apache-2.0
#include "source/stats/render.h"

#include "source/stats/distribution.h"
#include "source/stats/selection.h"

#include "absl/strings/str_cat.h"
#include "re2/re2.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace culvert::stats {
namespace {

template <class T> std::vector<const T*> filtered(std::vector<const T*> all, const Query& query) {
  const auto hidden = [&](const T* stat) {
    if (query.used_only && !stat->used()) {
      return true;
    }
    return query.filter != nullptr &&
           re2::RE2::PartialMatch(stat->name(), *query.filter) == query.invert_filter;
  };
  all.erase(std::remove_if(all.begin(), all.end(), hidden), all.end());
  return all;
}

template <class T> void sortByName(std::vector<const T*>& stats) {
  std::sort(stats.begin(), stats.end(),
            [](const T* a, const T* b) { return a->name() < b->name(); });
}

bool shows(const Query& query, Shown kind) {
  return query.shown == Shown::kAll || query.shown == kind;
}

// "P0(nan,0) P25(nan,0) ...": interval, cumulative.
std::string summary(const Histogram& histogram) {
  const Quantiles interval = quantiles(histogram.interval(), histogram.unit());
  const Quantiles cumulative = quantiles(histogram.cumulative(), histogram.unit());
  std::string line;
  for (size_t i = 0; i < kQuantiles.size(); ++i) {
    absl::StrAppend(&line, i == 0 ? "" : " ", "P", 100 * kQuantiles[i], "(", shortest(interval[i]),
                    ",", shortest(cumulative[i]), ")");
  }
  return line;
}

std::string buckets(const Histogram& histogram, bool cumulative) {
  const std::vector<double>& bounds = histogram.buckets();
  auto interval = countsUpTo(histogram.interval(), bounds, histogram.unit());
  auto total = countsUpTo(histogram.cumulative(), bounds, histogram.unit());
  if (!cumulative) {
    interval = disjoint(std::move(interval));
    total = disjoint(std::move(total));
  }
  std::string line;
  for (size_t i = 0; i < bounds.size(); ++i) {
    absl::StrAppend(&line, i == 0 ? "" : " ", "B", bounds[i], "(", interval[i], ",", total[i], ")");
  }
  return line;
}

std::string bins(const Histogram& histogram, const BinSet& samples) {
  std::string line;
  for (const BinRange& bin : binRanges(samples, histogram.unit())) {
    absl::StrAppend(&line, line.empty() ? "" : ", ", bin.lower, ",", bin.width, ":", bin.count);
  }
  return line;
}

std::string describe(const Histogram& histogram, BucketsMode mode) {
  if (!histogram.used()) {
    return ": No recorded values\n";
  }
  switch (mode) {
  case BucketsMode::kUnset:
  case BucketsMode::kSummary:
  case BucketsMode::kPrometheusNative: // Refused by parseQuery().
    break;
  case BucketsMode::kCumulative:
  case BucketsMode::kDisjoint:
    return absl::StrCat(": ", buckets(histogram, mode == BucketsMode::kCumulative), "\n");
  case BucketsMode::kDetailed:
    return absl::StrCat(":\n  totals=", bins(histogram, histogram.cumulative()),
                        "\n  intervals=", bins(histogram, histogram.interval()),
                        "\n  summary=", summary(histogram), "\n");
  }
  return absl::StrCat(": ", summary(histogram), "\n");
}

} // namespace

Selection select(const Store& store, const Query& query) {
  return {filtered(store.counters(), query), filtered(store.gauges(), query),
          filtered(store.histograms(), query), filtered(store.textReadouts(), query)};
}

Listing listing(const Store& store, const Query& query) {
  Selection selection = select(store, query);
  Listing result;
  if (shows(query, Shown::kTextReadouts)) {
    result.text_readouts = std::move(selection.text_readouts);
    sortByName(result.text_readouts);
  }
  if (shows(query, Shown::kCounters)) {
    for (const Counter* counter : selection.counters) {
      result.numbers.push_back({counter->name(), counter->value()});
    }
  }
  if (shows(query, Shown::kGauges)) {
    for (const Gauge* gauge : selection.gauges) {
      result.numbers.push_back({gauge->name(), gauge->value()});
    }
  }
  std::sort(result.numbers.begin(), result.numbers.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  if (shows(query, Shown::kHistograms)) {
    result.histograms = std::move(selection.histograms);
    sortByName(result.histograms);
  }
  return result;
}

std::string renderText(const Listing& listing, BucketsMode mode) {
  std::string body;
  for (const TextReadout* text : listing.text_readouts) {
    absl::StrAppend(&body, text->name(), ": \"", text->value(), "\"\n");
  }
  for (const Listing::Number& number : listing.numbers) {
    absl::StrAppend(&body, number.name, ": ", number.value, "\n");
  }
  for (const Histogram* histogram : listing.histograms) {
    absl::StrAppend(&body, histogram->name(), describe(*histogram, mode));
  }
  return body;
}

std::string shortest(double value) {
  if (std::isnan(value)) {
    return "nan";
  }
  const double size = std::abs(value);
  const bool fixed = size == 0 || (size >= 1e-4 && size < 1e16);
  char digits[64];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), value,
                                 fixed ? std::chars_format::fixed : std::chars_format::scientific);
  return {digits, end.ptr};
}

std::vector<uint64_t> disjoint(std::vector<uint64_t> cumulative) {
  for (size_t i = cumulative.size(); i > 1; --i) {
    cumulative[i - 1] -= cumulative[i - 2];
  }
  return cumulative;
}

std::string render(const Store& store, const Query& query) {
  switch (query.format) {
  case Format::kText:
  case Format::kHtml:
  case Format::kActiveHtml:
    break;
  case Format::kJson:
    return renderJson(listing(store, query), query.buckets);
  case Format::kPrometheus:
    return renderPrometheus(select(store, query), store.tags(), query);
  }
  return renderText(listing(store, query), query.buckets);
}

} // namespace culvert::stats
