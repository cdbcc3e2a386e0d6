// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "source/net/metadata.h"

namespace culvert::upstream {

// Who is chosen when a connection wants no subset, or one that is not there.
enum class SubsetFallback : uint8_t {
  kUndefined, // Of a selector: as the cluster says.
  kNone,
  kAny,
  kDefault,    // Hosts that have default_subset.
  kKeysSubset, // Of a selector: as if only some of the keys had been asked for.
};

// The keys that make subsets: one for each combination of values that hosts have.
struct SubsetSelector {
  std::set<std::string> keys;
  SubsetFallback fallback = SubsetFallback::kUndefined;
  std::set<std::string> fallback_keys{}; // Fewer than `keys`.
  bool single_host = false;              // The first host of a subset is all of it.
};

// How the hosts of a cluster are sorted into subsets by their metadata.
struct SubsetConfig {
  SubsetFallback fallback = SubsetFallback::kNone;
  net::Value::Fields default_subset{};
  std::vector<SubsetSelector> selectors;
  bool locality_weight_aware = false; // Else localities do not share by weight in a subset.
  bool panic_mode_any = false;        // Any host rather than none.
  bool list_as_any = false;           // A host with a list has each of its values.
};

} // namespace culvert::upstream
