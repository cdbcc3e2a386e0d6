// SPDX-License-Identifier: Apache-2.0
#include "source/stats/matcher.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "re2/re2.h"

#include <algorithm>

namespace culvert::stats {

CompiledMatch::CompiledMatch(const StringMatch& match) : match_(match) {
  if (match.kind == StringMatch::Kind::kRegex) {
    regex_ = std::make_unique<re2::RE2>(match.value, re2::RE2::Quiet);
  } else if (match.ignore_case) {
    absl::AsciiStrToLower(&match_.value);
  }
}

CompiledMatch::CompiledMatch(CompiledMatch&&) noexcept = default;
CompiledMatch::~CompiledMatch() = default;

bool CompiledMatch::matches(absl::string_view name) const {
  std::string lower;
  if (match_.ignore_case && regex_ == nullptr) {
    lower = absl::AsciiStrToLower(name);
    name = lower;
  }
  switch (match_.kind) {
  case StringMatch::Kind::kExact:
    return name == match_.value;
  case StringMatch::Kind::kPrefix:
    return absl::StartsWith(name, match_.value);
  case StringMatch::Kind::kSuffix:
    return absl::EndsWith(name, match_.value);
  case StringMatch::Kind::kContains:
    return absl::StrContains(name, match_.value);
  case StringMatch::Kind::kRegex:
    return re2::RE2::FullMatch(re2::StringPiece(name.data(), name.size()), *regex_);
  }
  return false;
}

NameMatcher::NameMatcher(const StatsMatcher& matcher) : kind_(matcher.kind) {
  patterns_.reserve(matcher.patterns.size());
  for (const StringMatch& pattern : matcher.patterns) {
    patterns_.emplace_back(pattern);
  }
}

bool NameMatcher::accepts(absl::string_view name) const {
  const auto listed = [&] {
    return std::any_of(patterns_.begin(), patterns_.end(),
                       [&](const CompiledMatch& pattern) { return pattern.matches(name); });
  };
  switch (kind_) {
  case StatsMatcher::Kind::kAll:
    return true;
  case StatsMatcher::Kind::kRejectAll:
    return false;
  case StatsMatcher::Kind::kInclusionList:
    return listed();
  case StatsMatcher::Kind::kExclusionList:
    return !listed();
  }
  return true;
}

BucketTable::BucketTable(const std::vector<HistogramBuckets>& settings)
    : default_{0.5,  1,    5,   10,  25,  50,  100, 250,   500,  1000,
               2500, 5000, 1e4, 3e4, 6e4, 3e5, 6e5, 1.8e6, 3.6e6} {
  settings_.reserve(settings.size());
  for (const HistogramBuckets& setting : settings) {
    settings_.push_back({CompiledMatch(setting.match), setting.buckets});
    std::vector<double>& buckets = settings_.back().buckets;
    std::sort(buckets.begin(), buckets.end());
  }
}

const std::vector<double>& BucketTable::bucketsFor(absl::string_view name) const {
  for (const Setting& setting : settings_) {
    if (setting.match.matches(name)) {
      return setting.buckets.empty() ? default_ : setting.buckets;
    }
  }
  return default_;
}

} // namespace culvert::stats
