// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/subset_proto.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "source/access_log/metadata_proto.h"
#include "source/upstream/endpoint_proto.h"

namespace culvert::upstream {
namespace {

using Proto = envoy::config::cluster::v3::Cluster::LbSubsetConfig;

SubsetFallback fallbackOf(Proto::LbSubsetFallbackPolicy policy) {
  switch (policy) {
  case Proto::ANY_ENDPOINT:
    return SubsetFallback::kAny;
  case Proto::DEFAULT_SUBSET:
    return SubsetFallback::kDefault;
  default:
    return SubsetFallback::kNone;
  }
}

SubsetFallback fallbackOf(const Proto::LbSubsetSelector& selector) {
  switch (selector.fallback_policy()) {
  case Proto::LbSubsetSelector::NO_FALLBACK:
    return SubsetFallback::kNone;
  case Proto::LbSubsetSelector::ANY_ENDPOINT:
    return SubsetFallback::kAny;
  case Proto::LbSubsetSelector::DEFAULT_SUBSET:
    return SubsetFallback::kDefault;
  case Proto::LbSubsetSelector::KEYS_SUBSET:
    return SubsetFallback::kKeysSubset;
  default:
    return SubsetFallback::kUndefined;
  }
}

absl::Status checkFallbackKeys(const SubsetSelector& selector) {
  if (selector.fallback != SubsetFallback::kKeysSubset) {
    return absl::OkStatus();
  }
  constexpr absl::string_view kField = "fallback_keys_subset";
  if (selector.fallback_keys.empty()) {
    return errorAt(kField, "fallback_keys_subset cannot be empty");
  }
  if (!std::includes(selector.keys.begin(), selector.keys.end(), selector.fallback_keys.begin(),
                     selector.fallback_keys.end())) {
    return errorAt(kField, "fallback_keys_subset must be a subset of selector keys");
  }
  return selector.fallback_keys == selector.keys
             ? errorAt(kField, "fallback_keys_subset cannot be equal to keys")
             : absl::OkStatus();
}

} // namespace

absl::StatusOr<SubsetConfig> parseSubsets(const Proto& proto) {
  SubsetConfig config;
  config.fallback = fallbackOf(proto.fallback_policy());
  config.default_subset = access_log::toFields(proto.default_subset());
  config.locality_weight_aware = proto.locality_weight_aware();
  config.panic_mode_any = proto.panic_mode_any();
  config.list_as_any = proto.list_as_any();
  for (int i = 0; i < proto.subset_selectors_size(); ++i) {
    const Proto::LbSubsetSelector& from = proto.subset_selectors(i);
    SubsetSelector& selector = config.selectors.emplace_back();
    selector.keys.insert(from.keys().begin(), from.keys().end());
    selector.fallback = fallbackOf(from);
    selector.single_host = from.single_host_per_subset();
    selector.fallback_keys.insert(from.fallback_keys_subset().begin(),
                                  from.fallback_keys_subset().end());
    if (const absl::Status status = checkFallbackKeys(selector); !status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("subset_selectors[", i, "].", status.message()));
    }
  }
  return config;
}

} // namespace culvert::upstream
