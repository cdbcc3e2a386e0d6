// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "envoy/config/core/v3/base.pb.h"

namespace culvert::upstream {

using HeaderOptions =
    google::protobuf::RepeatedPtrField<envoy::config::core::v3::HeaderValueOption>;

// Changes the headers of a health check's request as Envoy would: what is removed goes first, and
// whether a header is there is asked before any is added. Values have no commands but "%%".
// Errors: begin with the path of the field, `field[i]`, in the message that has it. Threads: main.
absl::Status addHeaders(const HeaderOptions& options, absl::string_view field,
                        std::vector<std::pair<std::string, std::string>>& headers);
absl::Status removeHeaders(const google::protobuf::RepeatedPtrField<std::string>& names,
                           absl::string_view field,
                           std::vector<std::pair<std::string, std::string>>& headers);

} // namespace culvert::upstream
