// SPDX-License-Identifier: Apache-2.0
#include "source/config/filter_state_values.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/common/set_filter_state/v3/value.pb.h"
#include "source/access_log/access_log.h"

namespace culvert::config {
namespace {

namespace pb = envoy::extensions::filters::common::set_filter_state::v3;

net::FilterState::Sharing sharingOf(const pb::FilterStateValue& proto) {
  using Sharing = net::FilterState::Sharing;
  return proto.shared_with_upstream() == pb::FilterStateValue::ONCE         ? Sharing::kOnce
         : proto.shared_with_upstream() == pb::FilterStateValue::TRANSITIVE ? Sharing::kTransitive
                                                                            : Sharing::kNone;
}

absl::StatusOr<FilterStateValue> makeValue(const pb::FilterStateValue& proto) {
  const bool named = !proto.factory_key().empty();
  const MakeStateObject make = findStateFactory(named ? proto.factory_key() : proto.object_key());
  if (make == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(named ? ".factory_key: '" : ".object_key: '",
                                                   proto.object_key(),
                                                   "' does not have an object factory"));
  }
  auto format = access_log::Formatter::create(proto.format_string());
  if (!format.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(".format_string.", format.status().message()));
  }
  return FilterStateValue{proto.object_key(), make, *std::move(format), proto.skip_if_empty(),
                          sharingOf(proto)};
}

} // namespace

absl::StatusOr<FilterStateValues>
makeFilterStateValues(const google::protobuf::RepeatedPtrField<pb::FilterStateValue>& protos,
                      absl::string_view field) {
  FilterStateValues values;
  for (const auto& proto : protos) {
    auto value = makeValue(proto);
    if (!value.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, "[", values.size(), "]", value.status().message()));
    }
    values.push_back(*std::move(value));
  }
  return values;
}

void writeFilterState(const FilterStateValues& values, net::ConnectionInfo& info,
                      const base::Clock& clock) {
  const access_log::Entry entry{info, access_log::Type::kNotSet, clock.now(), clock.wallNow()};
  for (const FilterStateValue& value : values) {
    std::string text;
    value.format->append(entry, text);
    if (text.empty() && value.skip_if_empty) {
      continue;
    }
    if (auto object = value.make(std::move(text))) {
      info.mutableFilterState().set(value.key, std::move(object), value.sharing);
    }
  }
}

} // namespace culvert::config
