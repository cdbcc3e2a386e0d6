// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/stats/store.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace re2 {
class RE2;
}

namespace culvert::stats {

// What the admin endpoints /stats and /stats/prometheus are asked, and their bodies, byte for byte
// as Envoy's (envoy-compat B.4).

enum class Format { kText, kJson, kPrometheus, kHtml, kActiveHtml };
enum class Shown { kAll, kCounters, kGauges, kHistograms, kTextReadouts };
enum class BucketsMode { kUnset, kSummary, kCumulative, kDisjoint, kDetailed, kPrometheusNative };

struct Query {
  Format format = Format::kText;
  std::shared_ptr<const re2::RE2> filter; // Searched for in the full name; null lets all through.
  bool invert_filter = false;
  bool used_only = false;
  bool text_readouts = false; // Of kPrometheus: as gauges that carry the text.
  Shown shown = Shown::kAll;  // kPrometheus shows all.
  BucketsMode buckets = BucketsMode::kUnset;
};

// From the decoded parameters of the URL; of a name that comes twice the first counts.
// /stats/prometheus gives its `format`, which then counts before that of the parameters.
// Errors: InvalidArgument whose message is the body of Envoy's answer 400.
absl::StatusOr<Query> parseQuery(absl::Span<const std::pair<std::string, std::string>> parameters,
                                 std::optional<Format> format = std::nullopt);

// The body of the answer. Of the HTML formats it is the text that the page shows, not escaped.
// Threads: main.
std::string render(const Store& store, const Query& query);

} // namespace culvert::stats
