// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/stats/store_config.h"

#include "absl/strings/string_view.h"

#include <string>
#include <vector>

namespace culvert::stats {

struct Tag {
  std::string name;
  std::string value;
};

struct TaggedName {
  std::string name; // Without the parts that became tags.
  std::vector<Tag> tags;
};

// Takes the variable parts out of a stat's name: "cluster.db.upstream_cx_total" becomes
// "cluster.upstream_cx_total" with the tag envoy.cluster_name=db. The built-in rules are Envoy's
// (envoy-compat B.4), in the order that Envoy tries them, less those for HTTP routes, RDS,
// DynamoDB.
//
// Threads: any.
class TagExtractor {
public:
  explicit TagExtractor(const StoreConfig& config);
  TagExtractor(TagExtractor&&) noexcept;
  ~TagExtractor();

  TaggedName extract(absl::string_view name) const;

  // Whether a tag of this name has built-in rules.
  static bool isBuiltIn(absl::string_view tag_name);

private:
  struct Rule;

  void addBuiltIn(const StoreConfig& config, bool anchored);
  void addConfigured(const StoreConfig& config, bool anchored);

  std::vector<Rule> rules_;
};

} // namespace culvert::stats
