// SPDX-License-Identifier: Apache-2.0
#include "source/stats/render.h"

#include "absl/strings/str_cat.h"
#include "re2/re2.h"

namespace culvert::stats {
namespace {

using Parameters = absl::Span<const std::pair<std::string, std::string>>;

std::optional<absl::string_view> find(Parameters parameters, absl::string_view name) {
  for (const auto& [key, value] : parameters) {
    if (key == name) {
      return absl::string_view(value);
    }
  }
  return std::nullopt;
}

template <class T> struct Choice {
  absl::string_view word;
  T value;
};

constexpr Choice<BucketsMode> kBuckets[] = {
    {"cumulative", BucketsMode::kCumulative},
    {"disjoint", BucketsMode::kDisjoint},
    {"detailed", BucketsMode::kDetailed},
    {"summary", BucketsMode::kSummary},
    {"prometheusnative", BucketsMode::kPrometheusNative},
};

constexpr Choice<Shown> kShown[] = {
    {"All", Shown::kAll},
    {"Counters", Shown::kCounters},
    {"Gauges", Shown::kGauges},
    {"Histograms", Shown::kHistograms},
    {"TextReadouts", Shown::kTextReadouts},
};

constexpr Choice<Format> kFormats[] = {
    {"html", Format::kHtml}, {"active-html", Format::kActiveHtml},
    {"json", Format::kJson}, {"prometheus", Format::kPrometheus},
    {"text", Format::kText},
};

// Sets `value` to what the parameter says, if it is there.
template <class T, size_t N>
absl::Status choose(Parameters parameters, absl::string_view name, const Choice<T> (&choices)[N],
                    absl::string_view error, T& value) {
  const auto word = find(parameters, name);
  if (!word || word->empty()) {
    return absl::OkStatus();
  }
  for (const Choice<T>& choice : choices) {
    if (choice.word == *word) {
      value = choice.value;
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError(error);
}

absl::Status readFilter(Parameters parameters, Query& query) {
  query.invert_filter = find(parameters, "invert_filter").has_value();
  const auto filter = find(parameters, "filter");
  if (!filter || filter->empty()) {
    return query.invert_filter ? absl::InvalidArgumentError(
                                     "invert_filter can only be used if filter is also provided")
                               : absl::OkStatus();
  }
  auto regex = std::make_shared<re2::RE2>(std::string(*filter), re2::RE2::Quiet);
  if (!regex->ok()) {
    return absl::InvalidArgumentError(absl::StrCat("Invalid re2 regex: ", regex->error()));
  }
  query.filter = std::move(regex);
  return absl::OkStatus();
}

absl::Status checkBuckets(const Query& query) {
  const bool native = query.buckets == BucketsMode::kPrometheusNative;
  if (query.format != Format::kPrometheus) {
    return native ? absl::InvalidArgumentError(
                        "Invalid histogram_buckets type for non prometheus stats type")
                  : absl::OkStatus();
  }
  if (native) {
    return absl::InvalidArgumentError("unsupported prometheusnative histogram type when not "
                                      "using protobuf exposition format");
  }
  if (query.buckets == BucketsMode::kDisjoint || query.buckets == BucketsMode::kDetailed) {
    return absl::InvalidArgumentError("unsupported prometheus histogram bucket mode");
  }
  return absl::OkStatus();
}

} // namespace

absl::StatusOr<Query> parseQuery(Parameters parameters, std::optional<Format> format) {
  Query query;
  query.used_only = find(parameters, "usedonly").has_value();
  query.text_readouts = find(parameters, "text_readouts").has_value();
  absl::Status status = readFilter(parameters, query);
  status.Update(choose(parameters, "histogram_buckets", kBuckets,
                       "usage: /stats?histogram_buckets="
                       "(cumulative|disjoint|detailed|summary|prometheusnative)\n",
                       query.buckets));
  status.Update(choose(parameters, "type", kShown, "invalid &type= param", query.shown));
  status.Update(choose(parameters, "format", kFormats,
                       "usage: /stats?format=(html|active-html|json|prometheus|text)\n\n",
                       query.format));
  query.format = format.value_or(query.format);
  if (status.ok()) {
    status = checkBuckets(query);
  }
  return status.ok() ? absl::StatusOr<Query>(std::move(query)) : status;
}

} // namespace culvert::stats
