// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/stats/store_config.h"

#include "absl/strings/string_view.h"

#include <memory>
#include <vector>

namespace re2 {
class RE2;
}

namespace culvert::stats {

// A StringMatch ready for use. Threads: any.
class CompiledMatch {
public:
  explicit CompiledMatch(const StringMatch& match);
  CompiledMatch(CompiledMatch&&) noexcept;
  ~CompiledMatch();

  bool matches(absl::string_view name) const;

private:
  StringMatch match_;
  std::unique_ptr<const re2::RE2> regex_; // Of kRegex; has to match the whole name.
};

// Which stats exist at all. Threads: any.
class NameMatcher {
public:
  explicit NameMatcher(const StatsMatcher& matcher);

  bool accepts(absl::string_view name) const;

private:
  const StatsMatcher::Kind kind_;
  std::vector<CompiledMatch> patterns_;
};

// The buckets that a histogram is shown with. Threads: any.
class BucketTable {
public:
  explicit BucketTable(const std::vector<HistogramBuckets>& settings);

  // Valid as long as this.
  const std::vector<double>& bucketsFor(absl::string_view name) const;

private:
  struct Setting {
    CompiledMatch match;
    std::vector<double> buckets;
  };
  std::vector<Setting> settings_;
  const std::vector<double> default_;
};

} // namespace culvert::stats
