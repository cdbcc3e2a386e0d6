// SPDX-License-Identifier: Apache-2.0
#include "source/net/connection_info.h"

#include <utility>

namespace culvert::net {

void FilterState::set(absl::string_view key, std::shared_ptr<Object> object) {
  for (auto& entry : entries_) {
    if (entry.first == key) {
      entry.second = std::move(object);
      return;
    }
  }
  entries_.emplace_back(std::string(key), std::move(object));
}

const FilterState::Object* FilterState::find(absl::string_view key) const {
  for (const auto& entry : entries_) {
    if (entry.first == key) {
      return entry.second.get();
    }
  }
  return nullptr;
}

std::optional<std::string> AddressState::field(absl::string_view name) const {
  if (name == "ip") {
    return address_.ipString();
  }
  if (name == "port") {
    return std::to_string(address_.port());
  }
  return std::nullopt;
}

} // namespace culvert::net
