// SPDX-License-Identifier: Apache-2.0
#include "source/stats/distribution.h"
#include "source/stats/selection.h"

#include "absl/strings/str_cat.h"
#include "source/base/json_text.h"

namespace culvert::stats {
namespace {

using base::jsonString;

std::string number(double value) {
  std::string text;
  base::appendJsonNumber(value, text);
  return text;
}

// Elements, or members, between commas.
class List {
public:
  template <class... Parts> void add(const Parts&... parts) {
    absl::StrAppend(&text_, text_.empty() ? "" : ",", parts...);
  }
  const std::string& text() const { return text_; }

private:
  std::string text_;
};

std::string values(const Histogram& histogram) {
  const Quantiles interval = quantiles(histogram.interval(), histogram.unit());
  const Quantiles cumulative = quantiles(histogram.cumulative(), histogram.unit());
  List list;
  for (size_t i = 0; i < kQuantiles.size(); ++i) {
    list.add("{\"cumulative\":", number(cumulative[i]), ",\"interval\":", number(interval[i]), "}");
  }
  return absl::StrCat("[", list.text(), "]");
}

std::string bins(const Histogram& histogram, const BinSet& samples) {
  List list;
  for (const BinRange& bin : binRanges(samples, histogram.unit())) {
    list.add("{\"lower_bound\":", number(bin.lower), ",\"width\":", number(bin.width),
             ",\"count\":", bin.count, "}");
  }
  return absl::StrCat("[", list.text(), "]");
}

std::string buckets(const Histogram& histogram, bool cumulative) {
  const std::vector<double>& bounds = histogram.buckets();
  auto interval = countsUpTo(histogram.interval(), bounds, histogram.unit());
  auto total = countsUpTo(histogram.cumulative(), bounds, histogram.unit());
  if (!cumulative) {
    interval = disjoint(std::move(interval));
    total = disjoint(std::move(total));
  }
  List list;
  for (size_t i = 0; i < bounds.size(); ++i) {
    list.add("{\"upper_bound\":", number(bounds[i]), ",\"interval\":", interval[i],
             ",\"cumulative\":", total[i], "}");
  }
  return absl::StrCat("[", list.text(), "]");
}

std::string percentiles() {
  List list;
  for (const double quantile : kQuantiles) {
    list.add(100 * quantile);
  }
  return absl::StrCat("[", list.text(), "]");
}

std::string member(const Histogram& histogram, BucketsMode mode) {
  const std::string name = absl::StrCat("{\"name\":", jsonString(histogram.name()));
  switch (mode) {
  case BucketsMode::kUnset:
  case BucketsMode::kSummary:
  case BucketsMode::kPrometheusNative: // Refused by parseQuery().
    break;
  case BucketsMode::kCumulative:
  case BucketsMode::kDisjoint:
    return absl::StrCat(name, ",\"buckets\":", buckets(histogram, mode == BucketsMode::kCumulative),
                        "}");
  case BucketsMode::kDetailed:
    return absl::StrCat(name, ",\"totals\":", bins(histogram, histogram.cumulative()),
                        ",\"intervals\":", bins(histogram, histogram.interval()),
                        ",\"percentiles\":", values(histogram), "}");
  }
  return absl::StrCat(name, ",\"values\":", values(histogram), "}");
}

// All histograms are one element of "stats".
std::string histograms(const std::vector<const Histogram*>& all, BucketsMode mode) {
  List list;
  for (const Histogram* histogram : all) {
    list.add(member(*histogram, mode));
  }
  switch (mode) {
  case BucketsMode::kUnset:
  case BucketsMode::kSummary:
  case BucketsMode::kPrometheusNative:
    break;
  case BucketsMode::kCumulative:
  case BucketsMode::kDisjoint:
    return absl::StrCat("{\"histograms\":[", list.text(), "]}");
  case BucketsMode::kDetailed:
    return absl::StrCat("{\"histograms\":{\"supported_percentiles\":", percentiles(),
                        ",\"details\":[", list.text(), "]}}");
  }
  return absl::StrCat("{\"histograms\":{\"supported_quantiles\":", percentiles(),
                      ",\"computed_quantiles\":[", list.text(), "]}}");
}

} // namespace

std::string renderJson(const Listing& listing, BucketsMode mode) {
  List list;
  for (const TextReadout* text : listing.text_readouts) {
    list.add("{\"name\":", jsonString(text->name()), ",\"value\":", jsonString(text->value()), "}");
  }
  for (const Listing::Number& number : listing.numbers) {
    list.add("{\"name\":", jsonString(number.name), ",\"value\":", number.value, "}");
  }
  if (!listing.histograms.empty()) {
    list.add(histograms(listing.histograms, mode));
  }
  return absl::StrCat("{\"stats\":[", list.text(), "]}");
}

} // namespace culvert::stats
