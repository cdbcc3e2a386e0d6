// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "source/net/metadata.h"

namespace culvert::upstream {

// Where hosts, and those who want some of them, keep what subsets are made of.
inline constexpr absl::string_view kSubsetMetadata = "envoy.lb";

// Texts that are equal exactly when what they are made of is.
std::string subsetName(const net::Value::Fields& fields);
std::string keysName(const std::set<std::string>& keys);

// Which hosts of a cluster with subsets a connection wants: those that have these values.
// Immutable. Threads: any.
class MetadataMatch {
public:
  explicit MetadataMatch(net::Value::Fields fields);

  const net::Value::Fields& fields() const { return fields_; }
  const std::string& subset() const { return subset_; }
  const std::string& keys() const { return keys_; }

  // These, and `more`, which win.
  MetadataMatch with(const net::Value::Fields& more) const;
  // Those of these keys.
  MetadataMatch only(const std::set<std::string>& keys) const;

private:
  net::Value::Fields fields_;
  std::string subset_;
  std::string keys_;
};

} // namespace culvert::upstream
