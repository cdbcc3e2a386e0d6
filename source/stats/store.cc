// SPDX-License-Identifier: Apache-2.0
#include "source/stats/store.h"

#include "source/stats/matcher.h"
#include "source/stats/tags.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include <utility>

namespace culvert::stats {
namespace {

struct NameHash {
  using is_transparent = void;
  size_t operator()(absl::string_view name) const { return absl::Hash<absl::string_view>()(name); }
  template <class T> size_t operator()(const std::unique_ptr<T>& stat) const {
    return (*this)(absl::string_view(stat->name()));
  }
};

struct NameEqual {
  using is_transparent = void;
  static absl::string_view nameOf(absl::string_view name) { return name; }
  template <class T> static absl::string_view nameOf(const std::unique_ptr<T>& stat) {
    return stat->name();
  }
  template <class A, class B> bool operator()(const A& a, const B& b) const {
    return nameOf(a) == nameOf(b);
  }
};

template <class T> using StatSet = absl::flat_hash_set<std::unique_ptr<T>, NameHash, NameEqual>;

template <class T> const T* find(const StatSet<T>& set, absl::string_view name) {
  const auto found = set.find(name);
  return found == set.end() ? nullptr : found->get();
}

template <class T> std::vector<const T*> list(const StatSet<T>& set) {
  std::vector<const T*> all;
  all.reserve(set.size());
  for (const auto& stat : set) {
    all.push_back(stat.get());
  }
  return all;
}

// The stat of this name; made by `make` if there is none.
template <class T, class Make> T& getOrMake(StatSet<T>& set, std::string name, Make make) {
  const auto found = set.find(absl::string_view(name));
  if (found != set.end()) {
    return **found;
  }
  return **set.insert(make(std::move(name))).first;
}

std::string sanitized(absl::string_view prefix) {
  while (absl::StartsWith(prefix, ".")) {
    prefix.remove_prefix(1);
  }
  while (absl::EndsWith(prefix, ".")) {
    prefix.remove_suffix(1);
  }
  return absl::StrReplaceAll(
      prefix, {{"://", "_"}, {":/", "_"}, {":", "_"}, {absl::string_view("\0", 1), "_"}});
}

} // namespace

struct Store::Stats {
  explicit Stats(const StoreConfig& config, CellPool& cells)
      : matcher(config.matcher), buckets(config.histogram_buckets), tags(config),
        null_counter("", cells.take(), cells.threads()),
        null_gauge("", cells.take(), cells.threads()),
        null_histogram("", Unit::kUnspecified, nullptr, 0, buckets.bucketsFor("")),
        null_text_readout("") {}

  const NameMatcher matcher;
  const BucketTable buckets;
  const TagExtractor tags;
  StatSet<Counter> counters;
  StatSet<Gauge> gauges;
  StatSet<Histogram> histograms;
  StatSet<TextReadout> text_readouts;

  // A histogram's number is its index here. A released number rests until bins that threads took
  // before the release can no longer arrive: those come with the interval that is being collected.
  std::vector<Histogram*> numbered;
  std::vector<uint32_t> free_numbers;
  std::vector<uint32_t> resting;  // Free at the next endInterval().
  std::vector<uint32_t> released; // Resting from the next endInterval() on.

  // What the matcher leaves out. They show nowhere.
  Counter null_counter;
  Gauge null_gauge;
  Histogram null_histogram;
  TextReadout null_text_readout;
};

Scope::Scope(Store& store, std::string prefix) : store_(store), prefix_(std::move(prefix)) {}

Scope::~Scope() {
  for (Stat* stat : held_) {
    store_.release(stat);
  }
}

std::unique_ptr<Scope> Scope::scope(absl::string_view prefix) {
  std::string joined = sanitized(prefix);
  if (!joined.empty()) {
    joined += '.';
  }
  return std::unique_ptr<Scope>(new Scope(store_, absl::StrCat(prefix_, joined)));
}

Counter& Scope::counter(absl::string_view name) {
  Store::Stats& stats = *store_.stats_;
  std::string full = absl::StrCat(prefix_, name);
  if (!stats.matcher.accepts(full)) {
    return stats.null_counter;
  }
  Counter& counter = getOrMake(stats.counters, std::move(full), [&](std::string n) {
    return std::make_unique<Counter>(std::move(n), store_.cells_.take(), store_.cells_.threads());
  });
  Store::hold(*this, counter);
  return counter;
}

Gauge& Scope::gauge(absl::string_view name) {
  Store::Stats& stats = *store_.stats_;
  std::string full = absl::StrCat(prefix_, name);
  if (!stats.matcher.accepts(full)) {
    return stats.null_gauge;
  }
  Gauge& gauge = getOrMake(stats.gauges, std::move(full), [&](std::string n) {
    return std::make_unique<Gauge>(std::move(n), store_.cells_.take(), store_.cells_.threads());
  });
  Store::hold(*this, gauge);
  return gauge;
}

Histogram& Scope::histogram(absl::string_view name, Unit unit) {
  Store::Stats& stats = *store_.stats_;
  std::string full = absl::StrCat(prefix_, name);
  if (!stats.matcher.accepts(full)) {
    return stats.null_histogram;
  }
  Histogram& histogram = getOrMake(stats.histograms, std::move(full), [&](std::string n) {
    if (stats.free_numbers.empty()) {
      stats.free_numbers.push_back(static_cast<uint32_t>(stats.numbered.size()));
      stats.numbered.push_back(nullptr);
    }
    const uint32_t number = stats.free_numbers.back();
    stats.free_numbers.pop_back();
    const std::vector<double>& buckets = stats.buckets.bucketsFor(n);
    auto made =
        std::make_unique<Histogram>(std::move(n), unit, store_.bins_.get(), number, buckets);
    stats.numbered[number] = made.get();
    return made;
  });
  Store::hold(*this, histogram);
  return histogram;
}

TextReadout& Scope::textReadout(absl::string_view name) {
  Store::Stats& stats = *store_.stats_;
  std::string full = absl::StrCat(prefix_, name);
  if (!stats.matcher.accepts(full)) {
    return stats.null_text_readout;
  }
  TextReadout& text = getOrMake(stats.text_readouts, std::move(full), [](std::string n) {
    return std::make_unique<TextReadout>(std::move(n));
  });
  Store::hold(*this, text);
  return text;
}

Store::Store(uint32_t threads, const StoreConfig& config)
    : cells_(threads), bins_(new ThreadBins[threads]),
      stats_(std::make_unique<Stats>(config, cells_)), root_(new Scope(*this, "")) {}

Store::~Store() = default;

ThreadHistograms Store::takeThread() { return bins_[base::thread_slot].take(); }

void Store::merge(ThreadHistograms&& taken) {
  for (const ThreadHistograms::Entry& entry : taken.entries) {
    Histogram* histogram = stats_->numbered[entry.histogram];
    if (histogram != nullptr) {
      histogram->merge(entry.count);
    }
  }
}

void Store::endInterval() {
  for (const auto& histogram : stats_->histograms) {
    histogram->endInterval();
  }
  stats_->free_numbers.insert(stats_->free_numbers.end(), stats_->resting.begin(),
                              stats_->resting.end());
  stats_->resting = std::exchange(stats_->released, {});
}

void Store::resetCounters() {
  for (const auto& counter : stats_->counters) {
    counter->reset();
  }
}

void Store::hold(Scope& scope, Stat& stat) {
  if (scope.held_.insert(&stat).second) {
    ++stat.scopes_;
  }
}

void Store::release(Stat* stat) {
  if (--stat->scopes_ > 0) {
    return;
  }
  const absl::string_view name = stat->name();
  switch (stat->kind()) {
  case Kind::kCounter:
    cells_.giveBack(static_cast<Counter*>(stat)->cell_);
    stats_->counters.erase(stats_->counters.find(name));
    break;
  case Kind::kGauge:
    cells_.giveBack(static_cast<Gauge*>(stat)->cell_);
    stats_->gauges.erase(stats_->gauges.find(name));
    break;
  case Kind::kHistogram: {
    const uint32_t number = static_cast<Histogram*>(stat)->number_;
    stats_->numbered[number] = nullptr;
    stats_->released.push_back(number);
    stats_->histograms.erase(stats_->histograms.find(name));
    break;
  }
  case Kind::kTextReadout:
    stats_->text_readouts.erase(stats_->text_readouts.find(name));
    break;
  }
}

const TagExtractor& Store::tags() const { return stats_->tags; }

std::vector<const Counter*> Store::counters() const { return list(stats_->counters); }
std::vector<const Gauge*> Store::gauges() const { return list(stats_->gauges); }
std::vector<const Histogram*> Store::histograms() const { return list(stats_->histograms); }
std::vector<const TextReadout*> Store::textReadouts() const { return list(stats_->text_readouts); }

const Counter* Store::findCounter(absl::string_view name) const {
  return find(stats_->counters, name);
}
const Gauge* Store::findGauge(absl::string_view name) const { return find(stats_->gauges, name); }
const Histogram* Store::findHistogram(absl::string_view name) const {
  return find(stats_->histograms, name);
}
const TextReadout* Store::findTextReadout(absl::string_view name) const {
  return find(stats_->text_readouts, name);
}

} // namespace culvert::stats
