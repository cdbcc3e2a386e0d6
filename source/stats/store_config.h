// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"

#include <optional>
#include <string>
#include <vector>

namespace culvert::stats {

// What the Store does with names, as in Bootstrap.stats_config (envoy-compat A.1): plain data, no
// protos. Lists keep the order of the configuration.

struct StringMatch {
  enum class Kind { kExact, kPrefix, kSuffix, kContains, kRegex };
  Kind kind = Kind::kExact;
  std::string value;
  bool ignore_case = false; // Not for kRegex.
};

// A tag for Prometheus. With neither a value nor a regex, the built-in rules of this name are used.
struct TagSpecifier {
  std::string name;
  std::optional<std::string> fixed_value;
  // Group 1 is cut out of the stat's name, group 2 (or 1 if there is no second) is the value.
  std::optional<std::string> regex;
};

struct StatsMatcher {
  enum class Kind { kAll, kRejectAll, kInclusionList, kExclusionList };
  Kind kind = Kind::kAll;
  std::vector<StringMatch> patterns; // Of the two lists.
};

// Upper bounds of the buckets shown for the histograms that match; the first match wins.
struct HistogramBuckets {
  StringMatch match;
  std::vector<double> buckets; // Each above 0, in any order. Empty means the default ones.
};

struct StoreConfig {
  std::vector<TagSpecifier> tags;
  bool use_all_default_tags = true;
  bool allow_default_tag_overrides = false; // A name in `tags` replaces its built-in rules.
  StatsMatcher matcher;
  std::vector<HistogramBuckets> histogram_buckets;
};

// Errors: InvalidArgument that begins with the field's path within stats_config, for a regex that
// RE2 does not take and a tag name that has no built-in rules, with Envoy's wording after the path.
// A Store may only be made of a configuration that passed.
absl::Status validate(const StoreConfig& config);

} // namespace culvert::stats
