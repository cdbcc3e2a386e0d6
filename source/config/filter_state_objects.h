// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "source/net/connection_info.h"

namespace culvert::config {

// Makes an object of filter state from its text; null if the text is none of its kind.
// Threads: any.
using MakeStateObject = std::shared_ptr<net::FilterState::Object> (*)(std::string text);

// What Envoy's object factory of this key makes. Null when there is no such factory.
MakeStateObject findStateFactory(absl::string_view key);

} // namespace culvert::config
