// SPDX-License-Identifier: Apache-2.0
#include "source/stats/distribution.h"
#include "source/stats/selection.h"
#include "source/stats/tags.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

#include <algorithm>
#include <cmath>

namespace culvert::stats {
namespace {

std::string identifier(absl::string_view name) {
  std::string result(name);
  for (char& c : result) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) {
      c = '_';
    }
  }
  return result;
}

std::string label(absl::string_view name, absl::string_view value) {
  return absl::StrCat(identifier(name), "=\"",
                      absl::StrReplaceAll(value, {{"\\", "\\\\"}, {"\n", "\\n"}, {"\"", "\\\""}}),
                      "\"");
}

std::string labels(const std::vector<Tag>& tags) {
  std::string result;
  for (const Tag& tag : tags) {
    absl::StrAppend(&result, result.empty() ? "" : ",", label(tag.name, tag.value));
  }
  return result;
}

std::string number(double value) {
  return std::isnan(value) ? "nan" : absl::StrFormat("%.32g", value);
}

// By tokens: as if the dot were the lowest character.
bool lessByTokens(absl::string_view a, absl::string_view b) {
  const auto rank = [](char c) { return c == '.' ? -1 : int{static_cast<unsigned char>(c)}; };
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [&](char x, char y) { return rank(x) < rank(y); });
}

template <class T> struct Sample {
  const T* stat;
  std::string family; // The name without what became labels.
  std::string labels;
};

// Appends the lines of all stats of one kind; `write` makes those of one.
template <class T, class Write>
void addFamilies(const std::vector<const T*>& stats, const TagExtractor& tags,
                 absl::string_view type, std::string& body, Write write) {
  std::vector<Sample<T>> samples;
  samples.reserve(stats.size());
  for (const T* stat : stats) {
    TaggedName tagged = tags.extract(stat->name());
    samples.push_back({stat, std::move(tagged.name), labels(tagged.tags)});
  }
  std::sort(samples.begin(), samples.end(), [](const Sample<T>& a, const Sample<T>& b) {
    return a.family == b.family ? lessByTokens(a.stat->name(), b.stat->name())
                                : lessByTokens(a.family, b.family);
  });
  absl::string_view family;
  std::string name;
  for (const Sample<T>& sample : samples) {
    if (name.empty() || sample.family != family) {
      family = sample.family;
      name = absl::StrCat("envoy_", identifier(family));
      absl::StrAppend(&body, "# TYPE ", name, " ", type, "\n");
    }
    write(*sample.stat, name, sample.labels);
  }
}

void addHistogram(const Histogram& histogram, absl::string_view name, const std::string& labels,
                  std::string& body) {
  const absl::string_view comma = labels.empty() ? "" : ",";
  const BinSet& samples = histogram.cumulative();
  const auto counts = countsUpTo(samples, histogram.buckets(), histogram.unit());
  for (size_t i = 0; i < counts.size(); ++i) {
    absl::StrAppend(&body, name, "_bucket{", labels, comma, "le=\"", number(histogram.buckets()[i]),
                    "\"} ", counts[i], "\n");
  }
  const uint64_t count = sampleCount(samples);
  absl::StrAppend(&body, name, "_bucket{", labels, comma, "le=\"+Inf\"} ", count, "\n");
  absl::StrAppend(&body, name, "_sum{", labels, "} ", number(sampleSum(samples, histogram.unit())),
                  "\n");
  absl::StrAppend(&body, name, "_count{", labels, "} ", count, "\n");
}

void addSummary(const Histogram& histogram, absl::string_view name, const std::string& labels,
                std::string& body) {
  const absl::string_view comma = labels.empty() ? "" : ",";
  const BinSet& samples = histogram.interval();
  const Quantiles values = quantiles(samples, histogram.unit());
  for (size_t i = 0; i < kQuantiles.size(); ++i) {
    absl::StrAppend(&body, name, "{", labels, comma, "quantile=\"", shortest(kQuantiles[i]), "\"} ",
                    number(values[i]), "\n");
  }
  absl::StrAppend(&body, name, "_sum{", labels, "} ", number(sampleSum(samples, histogram.unit())),
                  "\n");
  absl::StrAppend(&body, name, "_count{", labels, "} ", sampleCount(samples), "\n");
}

} // namespace

std::string renderPrometheus(const Selection& selection, const TagExtractor& tags,
                             const Query& query) {
  std::string body;
  const auto add_number = [&](const auto& stat, absl::string_view name, const std::string& labels) {
    absl::StrAppend(&body, name, "{", labels, "} ", stat.value(), "\n");
  };
  addFamilies(selection.counters, tags, "counter", body, add_number);
  addFamilies(selection.gauges, tags, "gauge", body, add_number);
  if (query.text_readouts) {
    addFamilies(selection.text_readouts, tags, "gauge", body,
                [&](const TextReadout& text, absl::string_view name, const std::string& labels) {
                  absl::StrAppend(&body, name, "{", labels, labels.empty() ? "" : ",",
                                  label("text_value", text.value()), "} 0\n");
                });
  }
  const bool summary = query.buckets == BucketsMode::kSummary;
  addFamilies(selection.histograms, tags, summary ? "summary" : "histogram", body,
              [&](const Histogram& histogram, absl::string_view name, const std::string& labels) {
                (summary ? addSummary : addHistogram)(histogram, name, labels, body);
              });
  return body;
}

} // namespace culvert::stats
