// SPDX-License-Identifier: Apache-2.0
#include "source/stats/statsd.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "source/stats/distribution.h"
#include "source/stats/store.h"
#include "source/stats/tags.h"

namespace culvert::stats {
namespace {

// Names of stats that are gone are forgotten once there are more of them than this.
constexpr size_t kNamesSpare = 10'000;

} // namespace

std::vector<CounterGains::Gain> CounterGains::take(const Store& store) {
  std::vector<Gain> gains;
  absl::flat_hash_map<std::string, uint64_t> now;
  for (const Counter* counter : store.counters()) {
    if (!counter->used()) {
      continue;
    }
    const uint64_t value = counter->value();
    const auto last = last_.find(counter->name());
    const uint64_t before = last == last_.end() ? 0 : last->second;
    gains.push_back({counter, value >= before ? value - before : value}); // Less: it was reset.
    now.emplace(counter->name(), value);
  }
  last_ = std::move(now);
  return gains;
}

void StatsdLines::write(const Store& store, absl::Span<const CounterGains::Gain> gains, Line line) {
  if (names_.size() >
      gains.size() + store.gauges().size() + store.histograms().size() + kNamesSpare) {
    names_.clear();
  }
  for (const CounterGains::Gain& gain : gains) {
    put(nameOf(store, *gain.counter), absl::StrCat(gain.by, "|c"), "", line);
  }
  for (const Gauge* gauge : store.gauges()) {
    if (gauge->used()) {
      put(nameOf(store, *gauge), absl::StrCat(gauge->value(), "|g"), "", line);
    }
  }
  for (const Histogram* each : store.histograms()) {
    if (!each->interval().empty()) {
      histogram(store, *each, line);
    }
  }
}

void StatsdLines::histogram(const Store& store, const Histogram& histogram, Line line) {
  const Name& name = nameOf(store, histogram);
  const bool scales = config_.scale_to_milliseconds && histogram.unit() == Unit::kMicroseconds;
  for (const BinRange& bin : binRanges(histogram.interval(), histogram.unit())) {
    // A bin of one whole number says exactly what was recorded.
    double value = bin.width <= 1 ? bin.lower : bin.lower + bin.width / 2;
    value /= scales ? 1000 : 1;
    const std::string rate =
        bin.count == 1 ? "" : absl::StrFormat("|@%.17g", 1.0 / static_cast<double>(bin.count));
    put(name, absl::StrFormat("%.15g|ms", value), rate, line);
  }
}

void StatsdLines::put(const Name& name, absl::string_view value, absl::string_view rate,
                      Line line) {
  line_.clear();
  absl::StrAppend(&line_, name.head, value, rate, name.tail);
  line(line_);
}

const StatsdLines::Name& StatsdLines::nameOf(const Store& store, const Stat& stat) {
  Name& known = names_[stat.name()];
  if (!known.head.empty()) {
    return known;
  }
  if (!config_.tags) {
    known.head = absl::StrCat(config_.prefix, ".", stat.name(), ":");
    return known;
  }
  const TaggedName tagged = store.tags().extract(stat.name());
  known.head = absl::StrCat(config_.prefix, ".", tagged.name, ":");
  if (!tagged.tags.empty()) {
    known.tail =
        absl::StrCat("|#", absl::StrJoin(tagged.tags, ",", [](std::string* out, const Tag& tag) {
                       absl::StrAppend(out, tag.name, ":", tag.value);
                     }));
  }
  return known;
}

} // namespace culvert::stats
