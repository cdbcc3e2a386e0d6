// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "source/access_log/formatter.h"
#include "source/base/clock.h"
#include "source/config/filter_state_objects.h"
#include "source/net/connection_info.h"

namespace google::protobuf {
template <typename Element> class RepeatedPtrField;
}
namespace envoy::extensions::filters::common::set_filter_state::v3 {
class FilterStateValue;
}

namespace culvert::config {

// An object of filter state that is made of a format.
struct FilterStateValue {
  std::string key;
  MakeStateObject make;
  access_log::Formatter::Ptr format;
  bool skip_if_empty;
  net::FilterState::Sharing sharing;
};
using FilterStateValues = std::vector<FilterStateValue>;

// What a set_filter_state filter's list of values says. Threads: main.
// Errors: begin with `field` and the index in it.
absl::StatusOr<FilterStateValues> makeFilterStateValues(
    const google::protobuf::RepeatedPtrField<
        envoy::extensions::filters::common::set_filter_state::v3::FilterStateValue>& protos,
    absl::string_view field);

// Writes them into the record of a connection, of which they are made. Each sees the ones before.
// Threads: the connection's worker.
void writeFilterState(const FilterStateValues& values, net::ConnectionInfo& info,
                      const base::Clock& clock);

} // namespace culvert::config
